"""`/console/tables/dead-letters`: groups by cause and by errors that are alike."""

import time
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from dashboard.tables import matching
from dashboard.tables.errors import pattern
from tasks import dead_letters
from tasks.models import Task
from tests.factories import fail_at_once, make_channel, make_tasks

pytestmark = pytest.mark.django_db

PATH = "/console/tables/dead-letters"


def get(path="", **query):
    answer = Client().get(f"{PATH}{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def dead(*errors, channel=None, cause="exhausted"):
    tasks = make_tasks(len(errors), channel=channel)
    fail_at_once(Task.objects.filter(pk__in=[task.pk for task in tasks]))
    for number, (task, error) in enumerate(zip(tasks, errors, strict=True)):
        Task.objects.filter(pk=task.pk).update(
            fail_reason=error,
            dead_letter=cause,
            finished_at=F("finished_at") - timedelta(seconds=number),
        )
    return tasks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit status 1", "exit status 137"),
        ("no route to 10.0.0.1:443", "no route to 10.0.0.27:8443"),
        ("cannot open /var/lib/a/1.txt", "cannot open /srv/other/place"),
        ("lost 0197a0c2-1111-7000-8000-000000000001", "lost 0197a0c2-2222-7000-8000-00000000000f"),
        ("commit 4f1c2d0a is gone", "commit 99aa77ffee is gone"),
        ("GET https://a.example/x?y=1 failed", "GET http://b.example/z failed"),
        ("took  12.5 s\n", "took 3 s"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 3\nKeyError: 5',
            'Traceback (most recent call last):\n  File "b.py", line 44, in b\nKeyError: 17',
        ),
        (
            'exit code 3: Traceback (most recent call last):\n  File "a.py", line 3\nKeyError: 5',
            "exit code 1: starting\nreading\nKeyError: 17\n",
        ),
    ],
    ids=range(9),
)
def test_errors_that_differ_in_ids_numbers_and_paths_are_alike(one, other):
    assert pattern(one) == pattern(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("disk is full", "disk is broken"),
        ("either/or", "neither/nor"),
        ("deadbeef", "facade"),
        ("한국어 오류", "ошибка"),
    ],
    ids=range(4),
)
def test_errors_that_say_something_else_are_not(one, other):
    assert pattern(one) != pattern(other)


@pytest.mark.parametrize("part", ["a.", "a-", "/a-", "ab ", "0a", "~", "/", "1,", "://", "a:/"])
def test_errors_that_are_made_to_be_slow_to_compare_are_not(part):
    begun = time.process_time()

    pattern(part * 20_000)

    assert time.process_time() - begun < 3


def test_groups_are_by_cause_and_error_the_largest_first():
    channel = make_channel()
    dead("exit status 1", "exit status 2", "exit status 3", channel=channel)
    dead("exit status 4", cause="not_retriable")
    first, *_ = dead("disk is full", "disk is full")

    body = get()

    assert (body["count"], body["more"], body["more_groups"]) == (6, False, False)
    shown = [(row["dead_letter"], row["error"], row["count"]) for row in body["groups"]]
    assert shown == [
        ("exhausted", "exit status <n>", 3),
        ("exhausted", "disk is full", 2),
        ("not_retriable", "exit status <n>", 1),
    ]
    assert body["groups"][0]["channels"] == [str(channel.pk)]
    assert body["groups"][1]["latest"] == str(first.pk)
    assert body["groups"][1]["first_at"] < body["groups"][1]["last_at"]


def test_of_a_command_that_failed_the_end_of_what_it_wrote_is_read():
    frames = "".join(f'  File "{name}.py", line {name}, in run\n' for name in range(100))
    for number in (4, 5):
        dead(f"exit code {number}: Traceback (most recent call last):\n{frames}NoDisk: {number}")

    [group] = get()["groups"]

    assert (group["error"], group["count"]) == ("NoDisk: <n>", 2)
    shown = {row["error"] for row in get("/rows", group=group["id"])["tasks"]}
    assert shown == {"NoDisk: 4", "NoDisk: 5"}


def test_a_group_opens_to_its_rows_page_by_page_and_names_all_ids():
    dead("other")
    tasks = dead(*(f"exit status {number}" for number in range(5)))
    group = next(row["id"] for row in get()["groups"] if row["count"] == 5)

    shown, body = [], get("/rows", group=group, limit=2)
    shown += body["tasks"]
    dead_letters.requeue([tasks[1].pk], "t", "r")  # the last of that page
    while "next" in body:
        body = get("/rows", group=group, limit=2, after=body["next"])
        shown += body["tasks"]

    assert [row["error"] for row in shown] == [f"exit status {number}" for number in range(5)]
    assert {"fail_reason", "payload"}.isdisjoint(shown[0])
    named = get("/ids", group=group)
    assert (len(named["ids"]), named["more"]) == (4, False)


def test_filters():
    channel = make_channel()
    dead("here", channel=channel)
    dead("there", cause="agents_lost")
    Task.objects.filter(fail_reason="there").update(finished_at=timezone.now() - timedelta(days=2))
    yesterday = timezone.now() - timedelta(days=1)

    def errors(**query):
        return [row["error"] for row in get(**query)["groups"]]

    assert errors(channel_id=channel.pk) == errors(finished_after=yesterday.isoformat()) == ["here"]
    assert errors(dead_letter="agents_lost") == ["there"]
    assert errors(finished_before=yesterday.isoformat()) == ["there"]
    assert errors(channel_id="x") == errors(dead_letter="x") == []


def test_what_was_not_looked_at_is_said(monkeypatch):
    monkeypatch.setattr(matching, "MOST", 2)
    dead("a", "b", "c")

    assert (get()["count"], get()["more"], len(get()["groups"])) == (2, True, 2)
    assert (len(get("/ids")["ids"]), get("/ids")["more"]) == (2, True)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", {"finished_after": "x"}),
        ("/rows", {"after": "x"}),
        ("/rows", {"after": "2026-01-31T12:00:00|0197a0c2-1111-7000-8000-000000000001"}),
        ("/rows", {"after": "|"}),
        ("/rows", {"limit": "x"}),
    ],
    ids=range(5),
)
def test_what_makes_no_sense_is_refused(path, query):
    dead("a")

    assert Client().get(f"{PATH}{path}", query).status_code == 400
