"""A bridge takes commands from the queues outside, holds them there, and ends them there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.corndogs import addresses, outbox
from jobs.corndogs import bridge as bridges
from jobs.corndogs.bridge import Bridge
from jobs.corndogs.faces import CorndogsError
from jobs.models import Submission
from tasks import leases, ready
from tasks import transitions as tasks
from tasks.models import Task
from tests.factories import let_lease_run_out
from tests.jobs.command_calls import QUEUE, Commands, Runner
from tests.jobs.corndogs.turns import all_are_due, turn

pytestmark = pytest.mark.django_db


def state(outside):
    [task] = outside.store.open()
    return task["current_state"], task["auto_target_state"], task["timeout"], task["priority"]


def ends(outside):
    return sorted(task["current_state"] for task in outside.store.archived.values())


def submit(outside, payload, queue=QUEUE):
    """A task of somebody else."""
    states = dict.fromkeys(("current_state", "auto_target_state"), "")
    made = outside.store.SubmitTask(
        states | {"queue": queue, "timeout": 0, "priority": 0, "payload": payload}
    )
    return made["task"]["uuid"]


def test_a_command_is_let_in_held_and_ended(outside, commands):
    made = commands.make(priority=4)
    outbox.send()

    assert turn(outside) == 1

    assert commands.status(made["job_id"]) == "queued"
    assert state(outside) == ("submitted-working", "submitted", 120, 4)
    turn(outside)
    assert len(outside.store.named("UpdateTask")) == 1
    turn(outside)
    assert len(outside.store.named("UpdateTask")) == 1  # not before it is time
    all_are_due()
    runner = Runner()
    task = runner.claim()
    turn(outside)
    assert state(outside) == ("submitted-working", "submitted", 120, 4)
    runner.exit(task)
    turn(outside)

    assert ends(outside) == ["completed"]
    assert not Submission.objects.exists()
    assert commands.get(made["job_id"])["corndogs_task_id"] in outside.store.archived


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_command_that_failed_is_no_longer_open_outside(outside, commands, status):
    commands.make()
    turn(outside)
    runner = Runner()
    runner.exit(runner.claim(), status)

    turn(outside)

    assert (outside.store.open(), ends(outside)) == ([], ["completed"])


def test_a_command_that_is_tried_again_stays_held(outside, commands):
    made = commands.make(max_attempts=2)
    turn(outside)
    Runner().claim()
    let_lease_run_out(Task.objects.get())
    leases.expire_leases()
    all_are_due()

    turn(outside)

    assert commands.status(made["job_id"]) == "queued"
    assert state(outside)[0] == "submitted-working"
    assert Runner().claim() is not None


def test_every_call_says_priority_and_target_again(outside, commands):
    made = commands.make(priority=3)
    turn(outside)
    tasks.prioritize(UUID(made["task_id"]), 9, by="tests")
    all_are_due()

    turn(outside)

    for sent in outside.store.named("UpdateTask"):
        assert sent["auto_target_state"] == "submitted"
    assert state(outside) == ("submitted-working", "submitted", 120, 9)


def test_the_most_urgent_comes_in_first(outside, commands, client):
    made = [commands.make(priority=priority) for priority in (0, 5, -1)]
    outbox.send()
    delivered = [client.next([QUEUE], timeout=60).job_id for _ in made]

    assert delivered == [UUID(made[place]["job_id"]) for place in (1, 0, 2)]


def test_waiting_claims_are_woken(outside, commands):
    commands.make()
    outbox.send()
    told = []

    def note(execute, sql, params, many, context):
        if "pg_notify" in sql:
            told.append(params)
        return execute(sql, params, many, context)

    # It comes with the commit, which a test does not have: so the statement is looked at.
    with connection.execute_wrapper(note):
        turn(outside)

    assert told == [[ready.CHANNEL, [str(Task.objects.get().channel_id)]]]


def test_a_task_without_a_job_is_cancelled_and_not_put_back(outside, commands):
    strange = [
        submit(outside, payload)
        for payload in (b"\xff", b"{}", b'{"job_id": "%s"}' % str(UUID(int=5)).encode())
    ]
    made = commands.make()

    assert turn(outside) == 1

    assert set(outside.store.archived) == set(strange)
    assert ends(outside) == ["canceled"] * 3
    assert commands.status(made["job_id"]) == "queued"


def test_a_second_task_of_a_job_is_cancelled_whatever_became_of_the_first(outside, commands):
    made = commands.make()
    turn(outside)
    payload = b'{"job_id": "%s"}' % made["job_id"].encode()

    submit(outside, payload)
    assert turn(outside) == 0
    runner = Runner()
    task = runner.claim()
    submit(outside, payload)
    assert turn(outside) == 0
    assert commands.status(made["job_id"]) == "running"
    runner.exit(task)
    turn(outside)
    submit(outside, payload)
    assert turn(outside) == 0

    assert ends(outside) == ["canceled", "canceled", "canceled", "completed"]
    assert runner.claim() is None


def test_one_that_comes_after_its_job_was_cancelled_is_ignored(outside, commands, client):
    made = commands.make()
    outbox.send()
    delivery = client.next([QUEUE], timeout=60)
    commands.send("PUT", f"/{made['job_id']}/cancel")

    assert not Bridge(client)._let_in(delivery)

    assert commands.status(made["job_id"]) == "cancelled"
    assert ends(outside) == ["canceled"]


def test_a_task_that_came_back_is_taken_again_and_runs_once(outside, commands):
    """No bridge held it for longer than its timeout, while its command ran."""
    if outside.scheme == "http":
        pytest.skip("its server puts nothing back")
    made = commands.make()
    turn(outside)
    runner = Runner()
    task = runner.claim()
    Submission.objects.filter(state="taken").update(due_at="2100-01-01T00:00:00Z")
    outside.store.pass_seconds(200)
    outside.store.CleanUpTimedOut({"at_time": outside.store.now(), "queue": ""})
    assert state(outside)[0] == "submitted"

    turn(outside)
    turn(outside)

    assert state(outside) == ("submitted-working", "submitted", 120, 0)
    assert commands.status(made["job_id"]) == "running"
    runner.exit(task)
    turn(outside)
    assert ends(outside) == ["completed"]


@pytest.mark.parametrize("outside_too", [False, True])
def test_what_a_killed_bridge_took_without_noting_it_comes_back(
    outside, commands, client, outside_too
):
    made = commands.make()
    outbox.send()
    assert client.next([QUEUE], timeout=120)
    assert turn(outside) == 0
    if outside_too and outside.scheme != "http":
        outside.store.pass_seconds(130)
    else:
        all_are_due()

    assert turn(outside) == 1

    assert commands.status(made["job_id"]) == "queued"


def test_one_that_is_gone_outside_goes_on_here(outside, commands):
    made = commands.make()
    turn(outside)
    runner = Runner()
    task = runner.claim()
    outside.store.tasks.clear()
    all_are_due()
    turn(outside)
    assert commands.status(made["job_id"]) == "running"
    assert not Submission.objects.exists()

    runner.exit(task)
    turn(outside)

    assert commands.status(made["job_id"]) == "completed"


def test_a_server_that_is_away_stops_nothing_that_runs(outside, commands):
    made = commands.make()
    turn(outside)
    runner = Runner()
    task = runner.claim()
    outside.stop()
    all_are_due()
    with pytest.raises(CorndogsError):
        turn(outside)

    assert runner.exit(task).status_code == 200
    assert commands.status(made["job_id"]) == "completed"
    with pytest.raises(CorndogsError):
        turn(outside)
    outside.start()
    all_are_due()
    turn(outside)
    assert ends(outside) == ["completed"]


def test_no_more_are_taken_than_can_be_held(outside, commands, monkeypatch):
    monkeypatch.setattr(bridges, "MOST_OPEN", 2)
    for _ in range(3):
        commands.make()
    commands.make(queue_name="other")

    assert turn(outside) == 3
    assert turn(outside) == 0
    runner = Runner()
    runner.exit(runner.claim())
    assert turn(outside) == 1


def test_many_queues_are_asked_in_turns(outside, commands, client, monkeypatch):
    monkeypatch.setattr(bridges, "MOST_QUEUES", 2)
    for place in range(5):
        commands.make(queue_name=f"q{place}")
    outbox.send()
    bridge = Bridge(client)

    assert sum(bridge.turn() for _ in range(10)) == 5


def test_only_of_the_queues_that_are_named(outside, commands, capsys):
    first, other = commands.make(), commands.make(queue_name="other")

    call_command("run_corndogs_bridge", "--once", "--queue", "other")

    assert capsys.readouterr().out == "Let 1 commands in.\n"
    statuses = [commands.status(made["job_id"]) for made in (first, other)]
    assert statuses == ["submitted", "queued"]


def test_the_command_says_what_is_missing(outside, settings):
    with pytest.raises(CommandError, match="Set CORNDOGS_BASE_URL"):
        call_command("run_corndogs_bridge", "--once")
    settings.CORNDOGS = addresses.parsed(outside.url)
    outside.stop()
    with pytest.raises(CommandError, match=r"Corndogs does not answer: .*Connection refused"):
        call_command("run_corndogs_bridge", "--once")


@pytest.mark.django_db(transaction=True)
def test_several_bridges_let_each_command_in_once(outside, commands):
    made = [commands.make() for _ in range(24)]
    outside.lost.add("SubmitTask")  # so that there are some twice
    for _ in range(8):
        outbox.send()
    outside.lost.clear()
    all_are_due()

    def run(_):
        try:
            return sum(turn(outside) for _ in range(4))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(run, range(4)))

    assert sum(taken) == 24
    assert {commands.status(one["job_id"]) for one in made} == {"queued"}
    assert len(outside.store.open()) == 24
    held = {str(row.corndogs_task_id) for row in Submission.objects.all()}
    assert held == {task["uuid"] for task in outside.store.open()}
    runner = Runner()
    assert len(list(iter(runner.claim, None))) == 24


@pytest.mark.django_db(transaction=True)
def test_a_bridge_outlives_a_server_that_comes_and_goes(outside, commands, client, monkeypatch):
    monkeypatch.setattr(bridges, "POLL", 0.02)
    monkeypatch.setattr(bridges, "LONGEST_PAUSE", 0.05)
    outside.stop()
    bridge = Bridge(client)

    def run():
        try:
            bridge.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        made = Commands().make()
        outside.start()
        runner = Runner()
        for _ in range(500):
            all_are_due()
            if commands.status(made["job_id"]) == "queued":
                break
        assert runner.claim() is not None
    finally:
        bridge.stop.set()
        thread.join(10)
    assert not thread.is_alive()
