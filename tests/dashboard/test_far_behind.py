"""What is bounded on the board is bounded at the right end, and goes on with the next page."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from dashboard import board
from tasks import queue, requirements
from tasks.models import Task
from tests.factories import fail_at_once, make_channel, make_task, make_tasks

pytestmark = pytest.mark.django_db


def test_the_most_urgent_task_is_first_whatever_it_wants():
    channel = make_channel()
    needs = requirements.of_each(({"gpu": f"model {n}"}, {}) for n in range(250))
    tasks = [make_task(channel, requirement=need) for need in needs]

    for place in (0, 201, 249):
        Task.objects.update(priority=0)
        Task.objects.filter(pk=tasks[place].pk).update(priority=9)

        first = board.column(channel.pk, "queued", "", 50)["tasks"][0]

        assert Task.objects.get(pk=first["id"]).requirement == needs[place]


def test_tasks_that_ended_long_ago_are_on_later_pages_however_much_others_did(monkeypatch):
    monkeypatch.setattr(board, "LOOKED_AT", 5)
    mine, busy = make_channel(), make_channel()
    old = make_tasks(3, channel=mine)
    make_tasks(12, channel=busy)
    fail_at_once(Task.objects.all())
    long_ago = F("finished_at") - timedelta(hours=1)
    Task.objects.filter(channel=mine).update(finished_at=long_ago)

    assert [page for page in pages_of(mine, "done") if page] == [
        sorted(task.pk for task in old)[:2],
        sorted(task.pk for task in old)[2:],
    ]
    assert sum(map(len, pages_of(busy, "done"))) == 12


def pages_of(channel, name):
    after = ""
    while True:
        page = board.column(channel.pk, name, after, 2)
        yield [row["id"] for row in page["tasks"]]
        if "next" not in page:
            return
        after = page["next"]


def test_postponed_tasks_of_other_channels_hide_none(monkeypatch):
    monkeypatch.setattr(queue, "SOON", 5)
    mine, busy = make_channel(), make_channel()
    make_tasks(9, channel=busy)
    late = make_task(mine)
    Task.objects.update(postponed=True, available_at=Now() + timedelta(minutes=1))
    Task.objects.filter(pk=late.pk).update(available_at=Now() + timedelta(minutes=9))

    assert list(pages_of(mine, "queued")) == [[late.pk]]
