"""A request sends as many statements for twice as many things."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import board, counters, deltas, snapshot
from tasks.models import Channel, Task
from tests.api.test_list_plans import ALL_LISTS
from tests.factories import (
    fail_at_once,
    make_agent,
    make_chain,
    make_channel,
    make_job,
    make_tasks,
    take,
)

pytestmark = pytest.mark.django_db

TABLES = [
    "console/jobs",
    "console/tables/agents",
    "console/tables/tasks/ids",
    "console/tables/dead-letters",
    "console/tables/dead-letters/rows",
    "console/tables/actions",
]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch):
    """What is kept for a second or two is asked for again only when that has passed."""
    monkeypatch.setattr(counters.Kept, "read", lambda kept: kept.make())


def statements(call):
    with CaptureQueriesContext(connection) as sent:
        answer = call()
    assert answer is None or answer.status_code < 300, answer.content
    # Savepoints also stand around the making of a text that is kept (`tasks.statements`).
    return [query["sql"] for query in sent if "SAVEPOINT" not in query["sql"]]


def post(path, body):
    return Client().post(f"/v1/{path}", json.dumps(body), content_type="application/json")


def costs_the_same(ask):
    """`ask(n)` prepares n things and returns the request for them; each n is for new things."""
    first, second, third = ask(2), ask(3), ask(6)
    statements(first)  # what is kept from the first request on
    assert len(statements(second)) == len(statements(third))
    return True


def make_everything(number, serial):
    """Channels, chains, tasks of every status, jobs, agents, events."""
    for n in range(number):
        name = f"{serial}-{n}"
        agent = make_agent(name, protocol="spot", meta={"state": "setup_waiting"})
        make_chain(make_channel(f"chains {name}"), tasks=2)
        channel = make_channel(name)
        make_job(tasks=2, wants={"model": name})
        make_tasks(3, channel=channel)
        take(agent, channel, max_tasks=2)
        dead = make_channel(f"dead {name}")
        make_tasks(1, channel=dead)
        fail_at_once(Task.objects.filter(channel=dead))


def test_a_list():
    counts = []
    for number in (2, 2, 4):
        make_everything(number, len(counts))
        counts.append({path: sent_for(path) for path in (*ALL_LISTS, *TABLES)})

    assert counts[1] == counts[2]


def sent_for(path):
    return len(statements(lambda: Client().get(f"/{path}")))


def test_the_pictures_of_pages():
    def read():
        snapshot.picture()
        deltas.numbers()
        for channel in Channel.objects.all()[:1]:
            board.columns(channel.pk)

    counts = []
    for number in (2, 2, 4):
        make_everything(number, len(counts))
        counts.append(len(statements(read)))

    assert counts[1] == counts[2]


def test_new_tasks_of_many_channels_by_name():
    def ask(n):
        names = [make_channel().name for _ in range(n)]
        body = [{"channel": name.upper(), "title": "t"} for name in names]
        return lambda: post("tasks", body)

    assert costs_the_same(ask)


def test_new_tasks_that_want_different_things():
    def ask(n):
        channel = make_channel()
        wanted = [{"wants": {"model": f"{channel.name}-{i}"}} for i in range(n)]
        body = [{"channel": channel.name, "title": "t", **wants} for wants in wanted]
        return lambda: post("tasks", body)

    assert costs_the_same(ask)


def test_a_report_of_many_tasks():
    def ask(n):
        channel = make_channel()
        make_tasks(n, channel=channel)
        tasks = take(make_agent("a"), channel, max_tasks=n)
        outcomes = [{"task_id": str(task.pk), "status": "done"} for task in tasks]
        return lambda: post("tasks/report", {"agent_id": "a", "outcomes": outcomes})

    assert costs_the_same(ask)


def test_a_heartbeat_with_many_tasks():
    def ask(n):
        channel = make_channel()
        make_tasks(n, channel=channel)
        agent = make_agent()
        held = [str(task.pk) for task in take(agent, channel, max_tasks=n, lease_seconds=60)]
        return lambda: post("agents/heartbeat", {"agent_id": agent.pk, "tasks": held})

    assert costs_the_same(ask)


@pytest.mark.parametrize("verb", ["requeue", "purge"])
def test_many_dead_letters(verb):
    def ask(n):
        channel = make_channel()
        tasks = make_tasks(n, channel=channel)
        fail_at_once(Task.objects.filter(channel=channel))
        body = {"ids": [str(task.pk) for task in tasks], "reason": "r"}
        return lambda: post(f"dead-letters/{verb}", body)

    assert costs_the_same(ask)
