"""Jobs under concurrent changes of their tasks; the counters equal a recount in the end.

A deadlock raises, so none of these may meet one.
"""

from functools import partial

import pytest

from accounts import callers
from agents.models import Protocol
from jobs import forms, tally, transitions
from jobs.exceptions import JobCancelled, JobOver
from jobs.models import Job, Tally
from tasks import claims, reports
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.jobs.calls import assert_counts_are_true
from tests.jobs.sweeps import ranges
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 10


def make_sweep(tasks, **more):
    sweep = forms.read(ranges(dimension=(1, tasks, 1), **more))
    return transitions.create_sweep(sweep, by=callers.LOCAL)[0]


def claim(spot, max_tasks=3):
    request = ClaimRequest(
        agent_id=spot,
        names=["sweeps"],
        max_tasks=max_tasks,
        lease_seconds=60,
        protocol=Protocol.SPOT,
    )
    return list(claims.claim(request))


def report(spot, task, done):
    outcome = Outcome(task.id, done, {} if done else None, retriable=False)
    return reports.report_one(outcome, agent_id=spot, by="")


def work(spot, done=True):
    """Claim and report until the queue is empty; return how many."""
    reported = 0
    while tasks := claim(spot):
        for task in tasks:
            reported += report(spot, task, done).problem is None
    return reported


def cancel(job):
    """Cancel the job; return whether there was something to cancel."""
    try:
        transitions.cancel(job.pk, by="operator")
    except JobOver:
        return False
    return True


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_cancellation_against_claims_leaves_nothing_in_the_queue(round_):
    job = make_sweep(60)

    *reported, cancelled = at_once(
        *[partial(work, f"spot-{n}") for n in range(4)], partial(cancel, job)
    )

    now = Job.objects.counted().get(pk=job.pk)
    assert_counts_are_true(job)
    assert not Task.objects.open().exists()
    assert now.counted_completed == sum(reported)
    assert now.counted_status == ("CANCELLED" if cancelled else "COMPLETED")
    assert now.counted_cancelled == 60 - now.counted_completed
    tally.fold()
    assert not Tally.objects.exists()
    assert_counts_are_true(job)


def test_a_task_that_is_claimed_meanwhile_is_asked_to_stop():
    for _ in range(ROUNDS):
        job = make_sweep(20)

        *claimed, _ = at_once(
            *[partial(claim, f"spot-{n}", 5) for n in range(3)], partial(cancel, job)
        )

        held = {task.id for tasks in claimed for task in tasks}
        of_job = Task.objects.filter(job=job)
        assert {task.pk for task in of_job.in_progress().cancel_asked()} == held
        assert of_job.filter(status="cancelled").count() == 20 - len(held)
        assert_counts_are_true(job)
        for n, tasks in enumerate(claimed):
            for task in tasks:
                report(f"spot-{n}", task, False)
        assert Job.objects.counted().get(pk=job.pk).counted_status == "CANCELLED"


def test_a_retry_against_a_cancellation_brings_nothing_back_behind_it():
    for _ in range(ROUNDS):
        job = make_sweep(12)
        for task in claim("spot-1", 8):
            report("spot-1", task, False)

        def retry(job=job):
            try:
                return transitions.retry_failed(job.pk, by="operator")
            except JobCancelled:
                return 0

        _, retried = at_once(partial(cancel, job), retry)

        now = Job.objects.counted().get(pk=job.pk)
        assert (now.counted_failed, now.counted_cancelled) == (8 - retried, 4 + retried)
        assert now.counted_status == "CANCELLED"
        assert not Task.objects.open().filter(job=job).exists()
        assert_counts_are_true(job)


def test_counting_in_against_reports_loses_nothing():
    job = make_sweep(120)

    def fold_until_done():
        while Task.objects.open().exists():
            tally.fold()

    *reported, _, _ = at_once(
        partial(work, "spot-1"),
        partial(work, "spot-2", False),
        partial(work, "spot-3"),
        fold_until_done,
        fold_until_done,
    )

    tally.fold()
    assert sum(reported) == 120
    assert not Tally.objects.exists()
    job.refresh_from_db()
    assert (job.completed + job.failed, job.status) == (120, "COMPLETED")
    assert_counts_are_true(job)


def test_retries_against_reports_count_each_task_once():
    job = make_sweep(40)

    def retry():
        return sum(transitions.retry_failed(job.pk, by="operator") for _ in range(ROUNDS))

    failed, *retried = at_once(partial(work, "spot-1", False), retry, retry)

    now = Job.objects.counted().get(pk=job.pk)
    waiting = Task.objects.open().count()
    assert_counts_are_true(job)
    assert now.counted_failed == 40 - waiting
    assert failed == 40 - waiting + sum(retried)


def test_concurrent_requests_with_one_key_create_one_sweep():
    for n in range(ROUNDS):
        sweep = forms.read(ranges(dimension=(1, 50, 1), idempotencyKey=f"key-{n}"))

        answers = at_once(*[partial(transitions.create_sweep, sweep, by=callers.LOCAL)] * 3)

        assert {job.pk for job, _ in answers} == {answers[0][0].pk}
        assert sorted(new for _, new in answers) == [False, False, True]
        assert Task.objects.filter(job=answers[0][0]).count() == 50


def test_sweeps_with_the_same_wants_are_created_concurrently():
    def make(names):
        sweep = forms.read(ranges(algorithms=names, dimension=(1, 20, 1)))
        return transitions.create_sweep(sweep, by=callers.LOCAL)[0]

    names = [f"algorithm-{n}" for n in range(20)]

    jobs = at_once(partial(make, names), partial(make, names[::-1]), partial(make, names))

    for job in jobs:
        assert Task.objects.filter(job=job).count() == 400
