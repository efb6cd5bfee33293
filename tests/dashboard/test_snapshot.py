from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from django.db import connection

from chains import transitions as chains
from dashboard import snapshot, views
from dashboard.snapshot import Snapshot, picture
from events.models import Event
from tasks import reports
from tasks import transitions as tasks
from tasks.claims import claim
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import make_agent, make_chain, make_channel, make_task, make_tasks, stored
from tests.tasks.counting import fold_all, statuses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch):
    monkeypatch.setattr(views, "snapshot", Snapshot())


def seen(client):
    response = client.get("/v1/dashboard")
    assert response.status_code == 200
    return response.json()


def start(task, agent="worker"):
    [taken] = stored(claim(ClaimRequest(agent, ids=[task.channel_id])))
    assert taken == task


def finish(task, agent="worker"):
    reports.report_in_transaction([Outcome(task.pk, True)], agent_id=agent, by="", request=None)


def ids(rows):
    return [row["id"] for row in rows]


def test_an_empty_coordinator_shows_empty_lists(client):
    response = client.get("/v1/dashboard")

    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.json() == {
        "agents": [],
        "channels": [],
        "chains": [],
        "tasks": [],
        "events": [],
        "counts": dict.fromkeys(
            ("queued", "in_progress", "done", "failed", "locked", "cancelled"), 0
        ),
        "counts_estimated": [],
    }


def test_the_snapshot_has_the_same_rows_as_the_lists(client):
    chain = make_chain(tasks=2)
    make_agent("idle")
    claim(ClaimRequest("worker", ids=[chain.channel_id]))

    picture = seen(client)

    for name in ("agents", "channels", "chains", "tasks"):
        listed = client.get(f"/v1/{name}").json()[name]
        assert sorted(picture[name], key=lambda row: row["id"]) == sorted(
            listed, key=lambda row: row["id"]
        )
    assert picture["events"] == client.get("/v1/events").json()["events"]
    assert {agent["worker_status"] for agent in picture["agents"]} == {"online"}
    worker = next(agent for agent in picture["agents"] if agent["id"] == "worker")
    assert worker["current_task_id"] == picture["tasks"][0]["id"]


@pytest.mark.django_db(transaction=True)  # the time of each end is its own
def test_tasks_are_ordered_in_progress_locked_queued_then_latest_finished(client):
    channel = make_channel()
    old, new, running = make_tasks(3, channel=channel)
    for task in (old, new):
        start(task)
        finish(task)
    start(running)
    chain = make_chain(tasks=2)
    locked, behind = Task.objects.filter(chain=chain).order_by("sequence")
    start(locked, "owner")
    chains.detach(chain.pk, owner_id="owner", by="tests")
    waiting = make_task(channel)

    assert ids(seen(client)["tasks"]) == [
        str(task.pk) for task in (running, locked, behind, waiting, new, old)
    ]


@pytest.mark.django_db(transaction=True)  # the time of each end is its own
def test_the_snapshot_is_bounded(client, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_OPEN", 4)
    monkeypatch.setattr(snapshot, "MOST_FINISHED", 2)
    channel = make_channel()
    done = make_tasks(4, channel=channel)
    for task in done:
        start(task)
        finish(task)
    running, *waiting = make_tasks(6, channel=channel)
    start(running)
    for _ in range(6):
        make_chain(channel)
    for number in range(6):
        make_agent(f"agent-{number}")
    Event.objects.bulk_create(Event(type="one.happened") for _ in range(70))

    picture = seen(client)

    shown = [running, *waiting[:3], done[3], done[2]]
    assert ids(picture["tasks"]) == [str(task.pk) for task in shown]
    assert len(picture["chains"]) == 4
    assert len(picture["agents"]) == 4
    assert len(picture["events"]) == 60


def test_the_snapshot_has_the_chain_of_each_of_its_tasks(client, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_FINISHED", 1)
    first, second = make_chain(tasks=1), make_chain(tasks=1)
    for chain in (first, second):
        task = Task.objects.get(chain=chain)
        start(task, f"owner of {chain.name}")
        finish(task, f"owner of {chain.name}")
    Task.objects.filter(chain=first).update(finished_at="2999-01-01T00:00Z")

    picture = seen(client)

    assert [task["chain_id"] for task in picture["tasks"]] == [str(first.pk)]
    assert str(first.pk) in ids(picture["chains"])


def test_tasks_are_counted_by_status_as_the_tallies_say(client):
    done, *_ = make_tasks(5)
    start(done)
    finish(done)
    fold_all()
    make_tasks(2)

    shown = seen(client)

    assert (shown["counts"]["queued"], shown["counts"]["done"]) == (6, 1)
    assert shown["counts"] == statuses()
    assert shown["counts_estimated"] == []


def test_the_snapshot_has_no_payloads_and_results(client):
    task = make_task(payload={"large": "payload"})
    start(task)
    reports.report_in_transaction(
        [Outcome(task.pk, True, result={"large": "result"})], agent_id="worker", by="", request=None
    )

    [shown] = seen(client)["tasks"]

    assert not {"payload", "result"} & shown.keys()


def test_the_number_of_queries_does_not_grow_with_the_rows(django_assert_max_num_queries):
    chain = make_chain(tasks=20)
    for number in range(20):
        make_agent(f"agent-{number}")
    make_tasks(20)
    tasks.cancel(make_task().pk, by="tests")
    claim(ClaimRequest("worker", ids=[chain.channel_id]))

    with django_assert_max_num_queries(35):
        picture()


def test_the_snapshot_is_cached(client, monkeypatch):
    first = client.get("/v1/dashboard").content
    make_channel()
    assert client.get("/v1/dashboard").content == first

    monkeypatch.setattr(snapshot, "KEPT_FOR", 0)
    assert len(seen(client)["channels"]) == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_share_one_snapshot():
    make_channel()
    one = Snapshot()

    def read(_):
        try:
            return one.read()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, range(8)))

    assert all(answer is answers[0] for answer in answers)
    assert len(orjson.loads(answers[0])["channels"]) == 1


def test_a_snapshot_is_read_only(client):
    assert client.post("/v1/dashboard").status_code == 405
