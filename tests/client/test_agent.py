"""`Agent` against a running coordinator: claims, reports, interruptions, stops."""

import itertools
import os
import signal
import subprocess
import sys
import threading

import pytest

from coordinator_client import Coordinator, Failed, Interrupted, NotFound, Unauthorized, Unsupported
from coordinator_client.agent import AgentReplaced, Interruption
from tests.client.agents import ended, in_progress, running_agent
from tests.coordinator_project.running import eventually

numbers = itertools.count(1)


@pytest.fixture
def client(coordinator):
    with Coordinator(coordinator) as found:
        yield found


@pytest.fixture
def channel(client):
    return client.create_channel(f"channel-{next(numbers)}").name


def until_interrupted(work):
    assert work.wait(20)
    work.check()


def test_it_runs_a_handler_and_reports_its_result(coordinator, client, channel):
    tasks = [client.create_task("double", channel=channel, payload={"n": n}) for n in range(5)]

    with running_agent(coordinator, channel, lambda work: {"is": work.payload["n"] * 2}):
        results = [ended(client, task.id).result for task in tasks]

    assert results == [{"is": n * 2} for n in range(5)]


def test_it_runs_as_many_at_once_as_it_may(coordinator, client, channel):
    for n in range(3):
        client.create_task(str(n), channel=channel)
    together = threading.Barrier(3)

    with running_agent(coordinator, channel, lambda _: together.wait(15), concurrency=3):
        eventually(lambda: len(client.tasks(status="done", limit=500).items) >= 3)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Failed("no such file"), "failed", "no such file"),
        (Unsupported("no gpu"), "failed", "no gpu"),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
    ],
)
def test_what_a_handler_raises_is_a_failure(coordinator, client, channel, error, status, reason):
    task = client.create_task("fails", channel=channel, max_attempts=1)

    def fail(_):
        raise error

    with running_agent(coordinator, channel, fail):
        found = ended(client, task.id)

    assert (found.status, found.fail_reason) == (status, reason)


def test_a_retriable_failure_is_tried_again(coordinator, client, channel):
    task = client.create_task("flaky", channel=channel, max_attempts=3)
    tries = []

    def flaky(work):
        tries.append(work.task.lease_epoch)
        if len(tries) < 3:
            raise Failed("not yet", retriable=True)
        return len(tries)

    with running_agent(coordinator, channel, flaky):
        assert ended(client, task.id).result == 3

    assert tries == [1, 2, 3]


def test_a_result_that_cannot_be_stored_makes_the_task_fail(coordinator, client, channel):
    task = client.create_task("large", channel=channel, max_attempts=1)

    with running_agent(coordinator, channel, lambda _: "x" * 600_000):
        found = ended(client, task.id)

    assert found.status == "failed"
    assert "the result was refused" in found.fail_reason


def test_a_cancel_reaches_the_handler(coordinator, client, channel):
    task = client.create_task("long", channel=channel)

    with running_agent(coordinator, channel, until_interrupted):
        in_progress(client, task.id)
        client.cancel_task(task.id)

        assert ended(client, task.id).status == "cancelled"


def test_a_task_that_was_taken_away_is_lost_and_nothing_is_reported(coordinator, client, channel):
    task = client.create_task("long", channel=channel)
    seen = []

    def wait(work):
        work.wait(20)
        seen.append(work.interruption)
        raise Interrupted

    with running_agent(coordinator, channel, wait) as one:
        in_progress(client, task.id)
        client.cancel_task(task.id, force=True)
        eventually(lambda: seen)

        eventually(lambda: not one.agent.current())
    assert seen == [Interruption.LOST]
    assert client.task(task.id).status == "cancelled"


def test_its_heartbeats_renew_the_lease_of_a_busy_handler(coordinator, client, channel):
    task = client.create_task("long", channel=channel, max_attempts=1)
    release = threading.Event()

    with running_agent(
        coordinator, channel, lambda _: release.wait(20), lease_seconds=2, heartbeat_seconds=0.5
    ):
        in_progress(client, task.id)
        threading.Event().wait(5)
        assert client.task(task.id).status == "in_progress"
        release.set()

        assert ended(client, task.id).status == "done"


def test_a_stop_lets_what_runs_finish(coordinator, client, channel):
    task = client.create_task("short", channel=channel)
    later = client.create_task("later", channel=channel)
    begun, release = threading.Event(), threading.Event()

    def handle(_):
        begun.set()
        release.wait(20)

    with running_agent(coordinator, channel, handle) as one:
        assert begun.wait(20)  # what is claimed and not begun would be given back
        one.agent.stop()
        release.set()
        assert one.ended()

    assert client.task(task.id).status == "done"
    assert client.task(later.id).status == "queued"


def test_what_does_not_finish_in_time_is_given_back(coordinator, client, channel):
    tasks = [client.create_task(name, channel=channel).id for name in ("polite", "deaf")]
    release = threading.Event()

    def handle(work):
        release.wait(20) if work.task.title == "deaf" else until_interrupted(work)

    with running_agent(coordinator, channel, handle, concurrency=2, drain_seconds=0.2) as one:
        for task_id in tasks:
            in_progress(client, task_id)
        assert one.end()

    release.set()
    assert [client.task(task_id).status for task_id in tasks] == ["queued", "queued"]
    assert [client.task(task_id).attempts for task_id in tasks] == [0, 0]


def test_an_agent_that_waits_for_a_task_stops_at_once(coordinator, channel):
    with running_agent(coordinator, channel, lambda _: None) as one:
        eventually(lambda: one.agent.heart.claims.sent == 1)

        assert one.end(within=3)


def test_a_drain_by_an_operator_holds_for_as_long_as_it_lasts(coordinator, client, channel):
    with running_agent(coordinator, channel, lambda _: None) as one:
        eventually(lambda: one.agent.heart.claims.sent)
        client.drain_agent(one.agent.agent_id)
        eventually(lambda: one.agent._drained)
        task = client.create_task("waits", channel=channel)
        client.resume_agent(one.agent.agent_id)

        assert ended(client, task.id).status == "done"


def test_two_processes_with_one_id_end_the_older_one(coordinator, client, channel, tmp_path):
    task = client.create_task("long", channel=channel)

    with running_agent(coordinator, channel, until_interrupted, agent_id="twin") as older:
        in_progress(client, task.id)
        with running_agent(
            coordinator, channel, lambda _: "newer", agent_id="twin", state_folder=tmp_path / "2"
        ):
            assert ended(client, task.id).result == "newer"
            assert older.ended()

    assert isinstance(older.error, AgentReplaced)


def test_what_the_coordinator_refuses_for_good_ends_it(coordinator):
    with running_agent(coordinator, "x" * 300, lambda _: None) as one:
        assert one.ended()

    assert one.error.status == 400


def test_a_wrong_token_ends_it(coordinator):
    with running_agent(coordinator, "x", lambda _: None, token="wrong") as one:
        assert one.ended()

    assert isinstance(one.error, Unauthorized)


def test_a_task_whose_claim_was_not_answered_is_given_back(coordinator, client, channel):
    with running_agent(coordinator, "elsewhere", lambda _: None, wait_seconds=1) as one:
        eventually(lambda: one.agent.heart.claims.sent)
        task = client.create_task("stray", channel=channel)
        client.assign(task.id, one.agent.agent_id)

        eventually(lambda: client.task(task.id).status == "queued")


def test_a_deleted_task_ends_its_report(coordinator, client):
    with pytest.raises(NotFound):
        client.task("00000000-0000-0000-0000-000000000000")


PROGRAM = """
import sys, time
from coordinator_client import Agent

def handle(work):
    print("begun", flush=True)
    if work.task.title == "endless":
        while True:
            time.sleep(0.05)
            work.check()
    return "well"

Agent([sys.argv[1]], handle, heartbeat_seconds=0.2, drain_seconds=float(sys.argv[2])).run()
"""


def program(url, channel, drain):
    environment = os.environ | {"COORDINATOR_URL": url, "PYTHONPATH": "client"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, channel, str(drain)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_drains_and_a_second_one_ends_at_once(coordinator, client, channel, signals):
    task = client.create_task("endless", channel=channel)

    with program(coordinator, channel, 0.5 if signals == 1 else 600) as process:
        assert process.stdout.readline() == "begun\n"
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            threading.Event().wait(0.3)
        assert process.wait(15) == 0

    assert client.task(task.id).status == "queued"


def test_a_killed_agent_that_starts_again_has_its_task_back(coordinator, client, channel):
    task = client.create_task("endless", channel=channel)

    with program(coordinator, channel, 1) as process:
        assert process.stdout.readline() == "begun\n"
        process.kill()
    with running_agent(coordinator, channel, lambda _: "again") as one:
        found = ended(client, task.id)

    assert found.result == "again"
    assert found.attempts in (0, 1)
    assert one.agent.agent_id.endswith("-1")
