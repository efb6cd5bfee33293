"""Where no index has just the rows asked for, every one of them is on some page all the same."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from django.test import Client

from api import pagination
from events.models import Event
from tasks.models import Task
from tests.factories import fail_at_once, make_channel, make_tasks

pytestmark = pytest.mark.django_db

NUMBER = 30
FIRST = (datetime.now(UTC) - timedelta(days=1)).isoformat()


@pytest.fixture(autouse=True)
def short_looks(monkeypatch):
    monkeypatch.setattr(pagination, "LOOKS", (2, 5))


def walk(path, **query):
    """The ids on each page."""
    while True:
        body = Client().get(f"/v1/{path}", query).json()
        yield [row["id"] for row in body[path.replace("-", "_")]]
        if "next_cursor" not in body:
            return
        query["cursor"] = body["next_cursor"]


def all_of(path, **query):
    return [pk for page in walk(path, **query) for pk in page]


def strings(rows):
    return [str(row.pk) for row in rows]


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_tasks_that_are_few_among_many(limit):
    one, other = make_channel(), make_channel()
    made = [make_tasks(1, channel=one if n % 7 == 6 else other)[0] for n in range(NUMBER)]
    mine = strings(task for task in made if task.channel == one)
    fail_at_once(Task.objects.filter(pk__in=mine[1:3]))

    assert all_of("tasks", channel_id=one.pk, created_after=FIRST, limit=limit) == mine
    assert all_of("tasks", channel_id=one.pk, status="failed", limit=limit) == mine[1:3]
    assert all_of("tasks", channel_id=one.pk, status="queued") == [mine[0], *mine[3:]]
    assert all_of("tasks", created_before=FIRST) == []
    assert all_of("tasks", status="done", limit=limit) == []


def test_an_empty_page_is_not_the_last():
    one, other = make_channel(), make_channel()
    make_tasks(NUMBER, channel=other)
    make_tasks(NUMBER, channel=one)
    fail_at_once(one.tasks.all())

    listed = list(walk("tasks", status="queued", channel_id=one.pk))

    assert listed == [[]] * len(listed)
    assert len(listed) == NUMBER // 5


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_dead_letters_that_are_few_among_many(limit):
    channel = make_channel()
    tasks = make_tasks(NUMBER, channel=channel)
    fail_at_once(Task.objects.all())
    rare = strings(tasks[::9])
    Task.objects.filter(pk__in=rare).update(dead_letter="unsupported")
    Task.objects.filter(pk__in=strings(tasks[:15])).update(
        finished_at=F("finished_at") - timedelta(days=2)
    )

    assert all_of("dead-letters", reason="unsupported", limit=limit) == [*rare[2:], *rare[:2]]
    assert all_of("dead-letters", finished_before=FIRST, limit=limit) == strings(tasks[:15])
    assert all_of("dead-letters", finished_after=FIRST, reason="unsupported") == rare[2:]


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_events_that_are_few_among_many(limit):
    channel = make_channel()
    Event.objects.all().delete()
    Event.objects.bulk_create(
        Event(type="task.created", channel_id=channel.pk if n % 8 == 0 else None)
        for n in range(NUMBER)
    )
    mine = strings(Event.objects.filter(channel_id=channel.pk).order_by("-id"))

    assert all_of("events", channel_id=channel.pk, limit=limit) == mine
    assert all_of("events", channel_id=channel.pk, type="task.created", limit=limit) == mine
    assert all_of("events", channel_id=channel.pk, created_before=FIRST) == []


def test_an_event_of_a_time_is_found_by_halving(monkeypatch):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(1_000)]
    Event.objects.bulk_create([Event(type="tick", created_at=at) for at in hours])
    asked = {"created_after": hours[500].isoformat(), "created_before": hours[503].isoformat()}

    found = Event.objects.filter(pk__in=all_of("events", **asked)).order_by("id")

    assert [event.created_at for event in found] == hours[500:503]
    assert Event.objects.last_before(start - timedelta(days=1), timedelta()) < found[0].pk
