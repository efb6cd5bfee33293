import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psutil
import pytest
from django.db import connection
from django.db.models.functions import Now

from agents.models import Agent
from tasks import leases, transitions
from tasks.models import Task
from tasks.states import Status
from tests.coordinator_project.running import eventually
from tests.factories import make_chain, make_channel, make_task, make_tasks
from tests.serving import NO_TLS, serving

pytestmark = pytest.mark.django_db(transaction=True)

# Without periodic checks, a task that is claimed soon is claimed because of a notification.
NO_CHECKS = "from tasks import waiting; waiting.CHECK_AGAIN = 60"
SOON = 5.0


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving(NO_CHECKS) as server:
        yield server


class Waiting:
    """A request that waits: its response, and the seconds that it took."""

    def __init__(self, server, pool, agent, seconds, body):
        self.server = server
        self.path = f"/v1/tasks/claim?wait_seconds={seconds}"
        self.json = {"agent_id": agent, **body}
        self.future = pool.submit(self._ask)

    def _ask(self):
        with self.server.client() as client:
            started = time.monotonic()
            answer = client.post(self.path, json=self.json)
            return answer, time.monotonic() - started

    @property
    def took(self):
        return self.future.result()[1]

    @property
    def response(self):
        return self.future.result()[0]

    @property
    def task(self):
        assert self.response.status_code == 200, self.response.text
        return self.response.json()["task"]["id"]


@contextmanager
def claims(server):
    """Start waiting claims, each behind those started before."""
    with ThreadPoolExecutor(20) as pool:

        def start(agent, *channels, seconds=9, **body):
            body |= {"channel_ids": [str(channel.pk) for channel in channels]} if channels else {}
            Agent.objects.filter(pk=agent).update(last_seen_at=Now() - timedelta(hours=1))
            waiting = Waiting(server, pool, agent, seconds, body)
            until(lambda: waiting.future.done() or is_waiting(agent))
            return waiting

        yield start


def until(condition, within=SOON):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.01)


def is_waiting(agent):
    """The first attempt has renewed the agent's presence, so the claim listens."""
    return Agent.objects.online().filter(pk=agent).exists()


def test_a_waiting_claim_gets_a_task_as_soon_as_there_is_one(server):
    channel = make_channel()
    with claims(server) as claim:
        waiting = claim("worker", channel)
        time.sleep(0.3)  # so that the task is not claimed by the first attempt
        made = time.monotonic()
        task = make_task(channel)

        assert waiting.task == str(task.pk)
        assert time.monotonic() - made < SOON
        assert waiting.took >= 0.3
    task.refresh_from_db()
    assert (task.status, task.agent_id, task.lease_epoch) == (Status.IN_PROGRESS, "worker", 1)


def test_a_waiting_claim_is_woken_when_its_channel_is_resumed(server):
    task = make_task()
    transitions.pause_channel(task.channel_id, by="operator")
    with claims(server) as claim:
        waiting = claim("worker", task.channel)
        assert not waiting.future.done()
        resumed = time.monotonic()
        transitions.resume_channel(task.channel_id, by="operator")

        assert waiting.task == str(task.pk)
        assert time.monotonic() - resumed < SOON


def test_a_claim_does_not_wait_when_there_is_a_task(server):
    task = make_task()
    with claims(server) as claim:
        assert claim("worker", task.channel).task == str(task.pk)


def test_a_claim_waits_for_its_seconds_and_gets_the_usual_empty_response(server):
    channel = make_channel()
    with claims(server) as claim:
        single = claim("one", channel, seconds=1)
        several = claim("two", channel, seconds=1, max_tasks=5)

        assert single.response.status_code == 404
        assert single.response.json()["error"]["code"] == "no_tasks"
        assert several.response.status_code == 200
        assert several.response.json() == {"tasks": []}
        assert 1 <= single.took < 1 + SOON
        assert 1 <= several.took < 1 + SOON


def test_a_claim_may_wait_for_zero_seconds(server):
    with claims(server) as claim:
        waiting = claim("worker", make_channel(), seconds=0)

        assert waiting.response.status_code == 404
        assert waiting.took < SOON


def test_a_claim_may_wait_for_several_channels_by_name_and_take_several_tasks(server):
    make_channel("Red")
    blue = make_channel("Blue")
    with claims(server) as claim:
        waiting = claim("worker", channels=["red", "blue"], max_tasks=5, lease_seconds=60)
        tasks = make_tasks(3, channel=blue)

        given = waiting.response.json()["tasks"]

    assert [task["id"] for task in given] == [str(task.pk) for task in tasks]
    assert all(task["lease_expires_at"] for task in given)


def test_a_channel_that_does_not_exist_has_no_tasks(server):
    with claims(server) as claim:
        assert claim("worker", channel="nowhere", seconds=1).response.status_code == 404


def test_the_longest_waiting_claim_gets_the_first_task(server):
    channel = make_channel()
    with claims(server) as claim:
        first, second, third = (claim(f"agent-{n}", channel, seconds=5) for n in range(3))
        one, two, three = (make_and_wait(channel) for _ in range(3))

        assert [first.task, second.task, third.task] == [one, two, three]


def make_and_wait(channel):
    task = make_task(channel)
    until(lambda: Task.objects.get(pk=task.pk).status == Status.IN_PROGRESS)
    return str(task.pk)


def test_each_of_many_waiting_claims_gets_a_task_of_its_own(server):
    channel = make_channel()
    with claims(server) as claim:
        waiting = [claim(f"agent-{n}", channel) for n in range(12)]
        tasks = make_tasks(12, channel=channel)

        assert {one.task for one in waiting} == {str(task.pk) for task in tasks}


def test_a_waiting_claim_whose_agent_is_bound_wakes_the_next(server):
    channel = make_channel()
    for n in range(3):
        chain = make_chain(tasks=2)
        with server.client() as client:
            request = {"agent_id": f"bound-{n}", "channel_id": str(chain.channel_id)}
            client.post("/v1/tasks/claim", json=request).raise_for_status()
    with claims(server) as claim:
        bound = [claim(f"bound-{n}", channel, seconds=6) for n in range(3)]
        free = claim("free", channel)
        made = time.monotonic()
        task = make_task(channel)

        assert free.task == str(task.pk)
        assert time.monotonic() - made < SOON
        assert {one.response.status_code for one in bound} == {404}


def test_a_chains_next_task_wakes_its_owner(server):
    chain = make_chain(tasks=1)
    with server.client() as client:
        request = {"agent_id": "owner", "channel_id": str(chain.channel_id)}
        task = client.post("/v1/tasks/claim", json=request).raise_for_status().json()["task"]
        done = {"task_id": task["id"], "agent_id": "owner"}
        client.post("/v1/tasks/complete", json=done).raise_for_status()
    with claims(server) as claim:
        other = claim("other", chain.channel, seconds=6)
        owner = claim("owner", chain.channel)
        made = time.monotonic()
        task = make_task(chain=chain)

        assert owner.task == str(task.pk)
        assert time.monotonic() - made < SOON
        assert other.response.status_code == 404


def test_a_waiting_claim_gets_a_postponed_task_when_it_is_woken(server):
    channel = make_channel()
    with claims(server) as claim:
        waiting = claim("worker", channel)
        task = make_task(channel, available_at=Now() + timedelta(seconds=0.7))
        eventually(leases.wake_postponed)

        assert waiting.task == str(task.pk)
    task.refresh_from_db()
    assert timedelta() <= task.claimed_at - task.available_at < timedelta(seconds=SOON)


def test_a_client_that_disconnects_claims_nothing_and_the_next_gets_the_task(server):
    channel = make_channel()
    request = {"agent_id": "gone", "channel_id": str(channel.pk)}
    with server.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/tasks/claim?wait_seconds=30", json=request, timeout=0.5)
    with claims(server) as claim:
        staying = claim("staying", channel)
        task = make_task(channel)

        assert staying.task == str(task.pk)
        assert staying.took < SOON
    assert not Task.objects.held_by("gone").exists()


def test_a_waiting_claim_renews_presence_at_its_start_and_at_its_end(server):
    with claims(server) as claim:
        waiting = claim("worker", make_channel(), seconds=2)
        assert is_online()
        Agent.objects.update(last_seen_at=Now() - timedelta(hours=1))
        assert not is_online()

        assert waiting.response.status_code == 404
    assert is_online()


def is_online():
    return Agent.objects.online().filter(pk="worker").exists()


@pytest.mark.parametrize(
    "given", ["31", "-1", "1.5", "x", "", "1e1", "100", "\u0663", "1&wait_seconds=2"]
)
def test_wait_seconds_must_be_a_whole_number_up_to_thirty(server, given):
    request = {"agent_id": "worker", "channel": "any"}
    with server.client() as client:
        answer = client.post(f"/v1/tasks/claim?wait_seconds={given}", json=request)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert "wait_seconds" in answer.json()["error"]["message"]
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[]", "bad_json"),
        (b'{"agent_id": 1, "channel": "c"}', "bad_json"),
        (b'{"agent_id": "a\\u0000", "channel": "c"}', None),
        (b'{"channel": "c"}', "invalid_request"),
        (b'{"agent_id": "a"}', "invalid_request"),
        (b'{"agent_id": "a", "channel": "c", "max_tasks": 51}', "invalid_request"),
    ],
)
def test_an_invalid_claim_is_refused_at_once(server, content, code):
    with server.client() as client:
        answer = client.post("/v1/tasks/claim?wait_seconds=20", content=content)

    assert answer.status_code == 400
    assert code is None or answer.json()["error"]["code"] == code
    assert not Agent.objects.exists()


def test_a_waiting_claim_must_be_a_post_request(server):
    with server.client() as client:
        answer = client.get("/v1/tasks/claim?wait_seconds=1")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_a_waiting_claim_needs_a_credential(server):
    url = f"{server.url}/v1/tasks/claim?wait_seconds=1"

    assert httpx.post(url, json={"agent_id": "worker", "channel": "c"}).status_code == 401


def test_a_hundred_waiting_claims_need_few_connections_and_threads_and_no_transaction(server):
    channel = make_channel()
    process = psutil.Process(server.process.pid)
    threads = process.num_threads()

    async def wait_all():
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            headers=server.headers, timeout=40, limits=limits, verify=NO_TLS
        ) as client:
            waiting = [
                asyncio.create_task(
                    client.post(
                        f"{server.url}/v1/tasks/claim?wait_seconds=20",
                        json={"agent_id": f"agent-{n}", "channel_id": str(channel.pk)},
                    )
                )
                for n in range(100)
            ]
            await asyncio.to_thread(until, all_are_waiting, 15)
            cost = await asyncio.to_thread(look_at_cost)
            await asyncio.to_thread(make_tasks_apart, channel)
            answers = await asyncio.gather(*waiting)
        return cost, answers

    def look_at_cost():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%')"
                " FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            row = cursor.fetchone()
        connection.close()
        return *row, process.num_threads()

    (connections, transactions, threads_then), answers = asyncio.run(wait_all())

    assert connections <= 10
    assert transactions == 0
    assert threads_then - threads <= 4
    assert len({answer.json()["task"]["id"] for answer in answers}) == 100


def all_are_waiting():
    try:
        return Agent.objects.count() == 100
    finally:
        connection.close()


def make_tasks_apart(channel):
    make_tasks(100, channel=channel)
    connection.close()


def test_waiting_claims_survive_a_lost_connection_to_the_database(server):
    channel = make_channel()
    with claims(server) as claim:
        waiting = claim("worker", channel)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND query LIKE 'LISTEN%'"
            )
            assert cursor.fetchone()[0] >= 1
        task = make_task(channel)

        assert waiting.task == str(task.pk)


def listeners():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_notifications_come_again_when_the_backend_that_sent_them_stands_still():
    soon = """
from events import direct
from tasks import waiting
direct.ANSWER_WITHIN, waiting.HEAR_AGAIN, waiting.BREATH = 0.5, 0.2, 0.1
"""
    channel = make_channel()
    with serving(soon) as server, claims(server) as claim:
        waiting = claim("worker", channel, seconds=30)
        stopped = eventually(listeners)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: listeners() - stopped)
            task = make_task(channel)

            assert waiting.task == str(task.pk)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def test_waiting_claims_are_answered_at_once_when_the_server_stops():
    channel = make_channel()
    with serving() as server, claims(server) as claim:
        single = claim("one", channel, seconds=30)
        several = claim("two", channel, seconds=30, max_tasks=2)
        started = time.monotonic()

        assert server.stop() is not None
        assert time.monotonic() - started < SOON
        assert single.response.status_code == 404
        assert several.response.json() == {"tasks": []}
