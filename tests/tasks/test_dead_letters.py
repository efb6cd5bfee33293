"""Dead letters are tried again or deleted, many at once; the rest of the world follows."""

import time
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection

from chains.models import OnFailure
from events.models import Event
from jobs.models import Job, JobKind
from tasks import batches, dead_letters, ready, reports
from tasks.fast_path import Outcome
from tasks.models import Attempt, Task, TaskInput
from tasks.states import Status
from tests.factories import (
    fail_at_once,
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    make_tasks,
    steps_of,
    take,
)
from tests.racing import at_once
from tests.tasks.verbs import fail, last_line, make_locked_task

pytestmark = pytest.mark.django_db
ROUNDS = 15

each = partial(dead_letters.each, by="operator", reason="mended")
every = partial(dead_letters.every, by="operator", reason="mended")


def make_dead(chain=None, **fields):
    task = make_task(chain=chain, **fields)
    return fail(give(make_agent(), task.channel))


def make_dead_tasks(number, channel=None):
    """That many, each with the attempt that failed it."""
    channel = channel or make_channel()
    make_tasks(number, channel=channel)
    agent = make_agent()
    while tasks := take(agent, channel, max_tasks=50):
        outcomes = [Outcome(task.pk, done=False, reason="no disk") for task in tasks]
        reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")
    return list(Task.objects.failed().filter(channel=channel))


def make_sweep(tasks):
    job = Job.objects.create(kind=JobKind.SWEEP)
    drafts = [batches.Draft("task", {}) for _ in range(tasks)]
    batches.enqueue_for_job(
        job.pk,
        make_channel(),
        drafts,
        priority=0,
        max_attempts=3,
        retry_delay_seconds=0,
        by="tests",
    )
    return job


def counted(job):
    row = Job.objects.counted().get(pk=job.pk)
    return row.counted_total, row.counted_failed, row.counted_status


def test_those_named_are_tried_again_with_all_their_attempts():
    alone, in_chain = make_dead(), make_dead(make_chain())
    other = make_dead()

    handled = each(dead_letters.requeue, [alone.pk, in_chain.pk])

    assert (handled.count, handled.refused) == (2, {})
    for task in map(fresh, (alone, in_chain)):
        assert (task.status, task.dead_letter, task.attempts) == (Status.QUEUED, "", 0)
        assert last_line(task) == ("task.requeued", "operator", "mended")
        assert give(task.reserved_for or make_agent(), task.channel) == task
    assert fresh(other).status == Status.FAILED


def test_what_is_no_dead_letter_is_refused_and_the_rest_goes_on():
    dead, queued, locked, unknown = make_dead(), make_task(), make_locked_task(), uuid4()

    for verb in (dead_letters.requeue, dead_letters.purge):
        handled = each(verb, [queued.pk, unknown, locked.pk])
        assert handled.count == 0
        codes = {pk: problem.code for pk, problem in handled.refused.items()}
        assert codes == {queued.pk: "conflict", unknown: "not_found", locked.pk: "conflict"}

    assert each(dead_letters.requeue, [queued.pk, dead.pk]).count == 1
    assert fresh(dead).status == Status.QUEUED
    assert fresh(locked).status == Status.LOCKED


def test_all_that_are_found_are_tried_again():
    channel = make_channel()
    make_dead_tasks(dead_letters.BATCH + 3, channel)
    others = make_dead_tasks(2)

    handled = every(dead_letters.requeue, Task.objects.failed().filter(channel=channel))

    assert (handled.count, handled.more) == (dead_letters.BATCH + 3, False)
    assert {task.pk for task in Task.objects.failed()} == {task.pk for task in others}


def test_what_takes_too_long_leaves_more_for_the_next_time(monkeypatch):
    make_dead_tasks(3)
    monkeypatch.setattr(dead_letters, "BATCH", 1)
    monkeypatch.setattr(dead_letters, "PATIENCE", -1)

    handled = every(dead_letters.requeue, Task.objects.failed())

    assert handled.more
    assert Task.objects.failed().count() == 3 - handled.count


def test_those_purged_are_gone_with_their_attempts_and_inputs():
    task, kept = make_dead(), make_dead()
    TaskInput.objects.create(task=task, agent_id="a", text="hello")

    assert each(dead_letters.purge, [task.pk]).count == 1

    assert not Task.objects.filter(pk=task.pk).exists()
    assert [attempt.task for attempt in Attempt.objects.all()] == [kept]
    assert not TaskInput.objects.exists()
    assert last_line(task) == ("task.deleted", "operator", "mended")


def test_a_chain_that_loses_a_failed_step_goes_on_without_it():
    chain = make_chain(tasks=3, on_failure=OnFailure.STOP)
    fail(give(make_agent("a"), chain.channel))
    assert fresh(chain).status == "failed"

    assert every(dead_letters.purge, Task.objects.failed()).count == 1

    assert [step.sequence for step in steps_of(chain)] == [2, 3]
    assert fresh(chain).status == "in_progress"
    assert give(make_agent("a"), chain.channel).sequence == 2


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_waits_hears_of_the_step_that_a_purge_let_go_on():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    fail(give(make_agent(), chain.channel))
    connection.ensure_connection()
    connection.connection.execute(f"LISTEN {ready.CHANNEL}")

    every(dead_letters.purge, Task.objects.failed())

    told = connection.connection.notifies(timeout=10, stop_after=1)
    assert [note.payload for note in told] == [str(chain.channel_id)]
    connection.close()


def test_a_stopped_chain_goes_on_with_the_step_that_is_tried_again():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    task = fail(give(make_agent("a"), chain.channel))

    assert every(dead_letters.requeue, Task.objects.failed()).count == 1

    assert give(make_agent("a"), chain.channel) == task


def test_a_job_counts_what_is_tried_again_or_gone():
    job = make_sweep(tasks=4)
    agent = make_agent()
    for task in take(agent, Task.objects.first().channel, max_tasks=4):
        fail(task)
    assert counted(job) == (4, 4, "FAILED")
    first, second, *_ = Task.objects.failed()

    each(dead_letters.requeue, [first.pk])
    assert counted(job) == (4, 3, "RUNNING")

    each(dead_letters.purge, [second.pk])
    assert counted(job) == (3, 2, "RUNNING")


def test_thousands_are_tried_again_by_a_few_statements(django_assert_max_num_queries):
    job = make_sweep(tasks=3_000)
    fail_at_once(Task.objects.filter(job=job))

    with django_assert_max_num_queries(200):
        handled = every(dead_letters.requeue, Task.objects.failed())

    assert (handled.count, handled.more) == (3_000, False)
    assert counted(job)[:2] == (3_000, 0)
    requeued = Event.objects.filter(type="task.requeued", reason="mended")
    assert requeued.count() == 3_000


@pytest.mark.django_db(transaction=True)
def test_a_requeue_beside_claims_and_other_requeues_gives_each_task_out_once():
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
def test_a_purge_beside_a_requeue_of_the_same_has_one_end():
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
def test_purges_beside_work_in_the_same_chains_meet_no_deadlock():
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
