"""Dead letters are requeued or purged, many at once; chains and jobs follow."""

import time
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection

from chains.models import OnFailure
from events.models import Event
from jobs.models import Job
from tasks import dead_letters, ready, reports
from tasks.models import Attempt, Task, TaskInput
from tasks.rows import Outcome
from tasks.states import Status
from tests.factories import (
    fail_at_once,
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_job,
    make_task,
    make_tasks,
    steps_of,
    take,
)
from tests.racing import at_once
from tests.tasks.reporting import fail
from tests.tasks.verbs import failed, last_event, make_locked_task

pytestmark = pytest.mark.django_db
ROUNDS = 15

each = partial(dead_letters.each, by="operator", reason="repaired")
every = partial(dead_letters.every, by="operator", reason="repaired")


def make_dead(chain=None, **fields):
    task = make_task(chain=chain, **fields)
    return failed(give(make_agent(), task.channel))


def make_dead_tasks(number, channel=None):
    """That many dead letters, each with its bad attempt."""
    channel = channel or make_channel()
    make_tasks(number, channel=channel)
    agent = make_agent()
    while tasks := take(agent, channel, max_tasks=50):
        outcomes = [Outcome(task.pk, done=False, reason="no disk") for task in tasks]
        reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")
    return list(Task.objects.failed().filter(channel=channel))


def counted(job):
    row = Job.objects.counted().get(pk=job.pk)
    return row.counted_total, row.counted_failed, row.counted_status


def test_each_requeues_the_tasks_named_with_all_their_attempts():
    alone, in_chain = make_dead(), make_dead(make_chain())
    other = make_dead()

    result = each(dead_letters.requeue, [alone.pk, in_chain.pk])

    assert (result.count, result.refused) == (2, {})
    for task in map(fresh, (alone, in_chain)):
        assert (task.status, task.dead_letter, task.attempts) == (Status.QUEUED, "", 0)
        assert last_event(task) == ("task.requeued", "operator", "repaired")
        assert give(task.reserved_for or make_agent(), task.channel) == task
    assert fresh(other).status == Status.FAILED


def test_a_task_that_is_no_dead_letter_is_refused_and_the_others_are_not():
    dead, queued, locked, unknown = make_dead(), make_task(), make_locked_task(), uuid4()

    for verb in (dead_letters.requeue, dead_letters.purge):
        result = each(verb, [queued.pk, unknown, locked.pk])
        assert result.count == 0
        codes = {pk: problem.code for pk, problem in result.refused.items()}
        assert codes == {queued.pk: "conflict", unknown: "not_found", locked.pk: "conflict"}

    assert each(dead_letters.requeue, [queued.pk, dead.pk]).count == 1
    assert fresh(dead).status == Status.QUEUED
    assert fresh(locked).status == Status.LOCKED


def test_every_requeues_all_tasks_found():
    channel = make_channel()
    make_dead_tasks(dead_letters.BATCH + 3, channel)
    others = make_dead_tasks(2)

    result = every(dead_letters.requeue, Task.objects.failed().filter(channel=channel))

    assert (result.count, result.more) == (dead_letters.BATCH + 3, False)
    assert {task.pk for task in Task.objects.failed()} == {task.pk for task in others}


def test_every_stops_after_a_while_and_says_that_more_are_left(monkeypatch):
    make_dead_tasks(3)
    monkeypatch.setattr(dead_letters, "BATCH", 1)
    monkeypatch.setattr(dead_letters, "PATIENCE", -1)

    result = every(dead_letters.requeue, Task.objects.failed())

    assert result.more
    assert Task.objects.failed().count() == 3 - result.count


def test_purged_tasks_are_deleted_with_their_attempts_and_inputs():
    task, kept = make_dead(), make_dead()
    TaskInput.objects.create(task=task, agent_id="a", text="hello")

    assert each(dead_letters.purge, [task.pk]).count == 1

    assert not Task.objects.filter(pk=task.pk).exists()
    assert [attempt.task for attempt in Attempt.objects.all()] == [kept]
    assert not TaskInput.objects.exists()
    assert last_event(task) == ("task.deleted", "operator", "repaired")


def test_a_stopped_chain_goes_on_when_its_failed_step_is_purged():
    chain = make_chain(tasks=3, on_failure=OnFailure.STOP)
    fail(give(make_agent("a"), chain.channel))
    assert fresh(chain).status == "failed"

    assert every(dead_letters.purge, Task.objects.failed()).count == 1

    assert [step.sequence for step in steps_of(chain)] == [2, 3]
    assert fresh(chain).status == "in_progress"
    assert give(make_agent("a"), chain.channel).sequence == 2


@pytest.mark.django_db(transaction=True)
def test_a_purge_that_lets_a_chain_go_on_notifies_waiting_claims():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    fail(give(make_agent(), chain.channel))
    connection.ensure_connection()
    connection.connection.execute(f"LISTEN {ready.CHANNEL}")

    every(dead_letters.purge, Task.objects.failed())

    notifications = connection.connection.notifies(timeout=10, stop_after=1)
    assert [note.payload for note in notifications] == [str(chain.channel_id)]
    connection.close()


def test_a_stopped_chain_goes_on_with_the_requeued_step():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    task = failed(give(make_agent("a"), chain.channel))

    assert every(dead_letters.requeue, Task.objects.failed()).count == 1

    assert give(make_agent("a"), chain.channel) == task


def test_a_job_counts_requeued_and_purged_tasks():
    job = make_job(tasks=4)
    agent = make_agent()
    for task in take(agent, Task.objects.first().channel, max_tasks=4):
        fail(task)
    assert counted(job) == (4, 4, "FAILED")
    first, second, *_ = Task.objects.failed()

    each(dead_letters.requeue, [first.pk])
    assert counted(job) == (4, 3, "RUNNING")

    each(dead_letters.purge, [second.pk])
    assert counted(job) == (3, 2, "RUNNING")


def test_every_requeues_more_than_one_batch(monkeypatch):
    monkeypatch.setattr(dead_letters, "BATCH", 40)
    job = make_job(tasks=100)
    fail_at_once(Task.objects.filter(job=job))

    result = every(dead_letters.requeue, Task.objects.failed())

    assert (result.count, result.more) == (100, False)
    assert counted(job)[:2] == (100, 0)
    requeued = Event.objects.filter(type="task.requeued", reason="repaired")
    assert requeued.count() == 100


@pytest.mark.django_db(transaction=True)
def test_concurrent_requeues_and_claims_give_each_task_once():
    channel = make_channel()
    claimers = [make_agent() for _ in range(3)]
    for _ in range(ROUNDS):
        dead = make_dead_tasks(6, channel)
        ids = [task.pk for task in dead]

        def claim(agent):
            got = []
            end = time.monotonic() + 20
            while Task.objects.failed().exists() or Task.objects.queued().exists():
                got += [task.pk for task in take(agent, channel, max_tasks=2)]
                assert time.monotonic() < end
            return got

        calls = [
            partial(each, dead_letters.requeue, ids),
            partial(each, dead_letters.requeue, ids[::-1]),
            partial(every, dead_letters.requeue, Task.objects.failed()),
        ]
        one, other, third, *shares = at_once(*calls, *[partial(claim, agent) for agent in claimers])

        assert one.count + other.count + third.count == len(ids)
        assert one.count + len(one.refused) == other.count + len(other.refused) == len(ids)
        assert sorted(pk for share in shares for pk in share) == sorted(ids)
        done = [Outcome(pk, done=True) for pk in ids]
        reports.report_in_transaction(done, agent_id=None, by="tests")


@pytest.mark.django_db(transaction=True)
def test_a_task_is_either_purged_or_requeued_by_concurrent_calls():
    for _ in range(ROUNDS):
        chain = make_chain()
        tasks = [make_dead(), make_dead(chain), make_dead()]
        ids = [task.pk for task in tasks]

        requeued, purged = at_once(
            partial(each, dead_letters.requeue, ids), partial(each, dead_letters.purge, ids[::-1])
        )

        assert requeued.count + purged.count == 3
        assert Task.objects.filter(pk__in=ids).count() == requeued.count
        assert Task.objects.filter(pk__in=ids, status=Status.QUEUED).count() == requeued.count


@pytest.mark.django_db(transaction=True)
def test_purges_and_work_in_the_same_chains_do_not_deadlock():
    channel = make_channel()
    chains = [make_chain(channel, tasks=6) for _ in range(3)]
    agents = [make_agent() for _ in range(3)]

    def work(agent):
        for _ in range(40):
            for task in take(agent, channel):
                failed = Outcome(task.pk, done=task.sequence % 2 == 0, epoch=task.lease_epoch)
                reports.report_in_transaction([failed], agent_id=agent.pk, by="")

    def purge():
        for _ in range(20):
            every(dead_letters.purge, Task.objects.failed())

    at_once(purge, purge, *[partial(work, agent) for agent in agents])
    every(dead_letters.purge, Task.objects.failed())

    for chain in chains:
        assert [step.sequence for step in steps_of(chain)] == [2, 4, 6]
        assert fresh(chain).status == "done"
