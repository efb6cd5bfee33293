"""Operators requeue or cancel while agents and reapers work on the same tasks.

Each race is run often enough for its parties to meet in every order; where it matters, the order
is also forced. In the end the counters equal a recount. A deadlock raises, so none may occur.
"""

from functools import partial

import pytest

from tasks import batches, fast_path, reports, transitions
from tasks.exceptions import WrongStatus
from tasks.rows import Outcome
from tests.factories import (
    counted,
    make_job,
    tasks_of,
)
from tests.jobs.racers import (
    ACCEPTED,
    ALREADY,
    ROUNDS,
    beat,
    claim,
    counts_are_true,
    end_holds,
    make_held_by,
    make_spot,
    of,
    reap,
    report,
)
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

every_end = pytest.mark.parametrize("end", ["expiry", "loss"])


# A requeue against claims.


def make_failed(number):
    job = make_held_by(spot := make_spot("failing"), number, max_attempts=1)
    for task in tasks_of(job):
        assert report(spot, task.pk, done=False) == ACCEPTED
    return job


def test_a_requeue_against_claims_gives_each_task_exactly_once():
    spots = [make_spot(f"spot-{n}") for n in range(3)]
    for _ in range(ROUNDS):
        job = make_failed(6)

        def requeue_one(job=job):
            try:
                transitions.requeue(tasks_of(job)[3].pk, by="operator")
            except WrongStatus:
                return 0
            return 1

        first, second, third, one, many, more = at_once(
            *[partial(claim, spot, 2) for spot in spots],
            requeue_one,
            *[partial(batches.requeue_all, of(job), by="operator")] * 2,
        )

        claimed = [*first, *second, *third]
        assert len(claimed) == len(set(claimed))
        assert one + many + more == 6
        assert {task.pk for task in of(job).in_progress()} == set(claimed)
        assert {task.lease_epoch for task in of(job).in_progress()} <= {2}
        assert {task.lease_epoch for task in of(job).queued()} <= {1}
        assert counted(job) == (6, 0, 0, 0)
        assert counts_are_true(job)
        batches.cancel_all(of(job), by="operator")
        for spot, ids in zip(spots, (first, second, third), strict=True):
            for task_id in ids:
                report(spot, task_id, done=False)
        assert counted(job) == (6, 0, 0, 6)


def test_a_requeue_against_late_reports_of_the_failed_life_counts_nothing_twice():
    spot = make_spot("failing")
    for _ in range(ROUNDS):
        job = make_failed(4)

        def say_again(job=job):
            return {report(spot, task.pk, done=False, epoch=1) for task in tasks_of(job)}

        requeued, again = at_once(partial(batches.requeue_all, of(job), by="operator"), say_again)

        assert (requeued, again) == (4, {ALREADY})
        assert counted(job) == (4, 0, 0, 0)
        assert counts_are_true(job)
        batches.cancel_all(of(job), by="operator")


# A cancellation of a job against claims.


def test_a_cancelled_job_has_no_queued_task_and_asks_the_others_to_stop():
    spots = [make_spot(f"spot-{n}") for n in range(4)]
    for _ in range(ROUNDS):
        job = make_job(tasks=20)

        *shares, cancelled = at_once(
            *[partial(claim, spot, 3) for spot in spots],
            partial(batches.cancel_all, of(job), by="operator"),
        )

        claimed = [task_id for share in shares for task_id in share]
        assert cancelled.cancelled == 20 - len(claimed)
        assert {task.pk for task in of(job).in_progress().cancel_asked()} == set(claimed)
        assert cancelled.asked == len(claimed)
        assert not of(job).queued().exists()
        for spot, ids in zip(spots, shares, strict=True):
            assert {report(spot, task_id, done=False) for task_id in ids} <= {ACCEPTED}
        assert counted(job) == (20, 0, 0, 20)
        assert counts_are_true(job)


def test_a_cancellation_against_reports_has_one_end_for_each_task():
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 8)
        ids = [task.pk for task in tasks_of(job)]

        def work(ids=ids):
            return [report(spot, task_id, done=n % 2 == 0) for n, task_id in enumerate(ids)]

        verdicts, _ = at_once(work, partial(batches.cancel_all, of(job), by="operator"))

        assert verdicts == [ACCEPTED] * 8
        assert {task.status for task in tasks_of(job)[::2]} == {"done"}
        assert {task.status for task in tasks_of(job)[1::2]} <= {"queued", "cancelled"}
        assert counts_are_true(job)
        batches.cancel_all(of(job), by="operator")
        assert counted(job) == (8, 4, 0, 4)


@every_end
def test_a_cancellation_against_the_reaper_is_not_lost(end):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 6)
        end_holds(end, job, spot)

        at_once(partial(reap, end), partial(batches.cancel_all, of(job), by="operator"))
        reap(end)

        assert counted(job) == (6, 0, 0, 6)
        assert counts_are_true(job)


def test_verbs_on_the_same_tasks_lock_in_one_order():
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 30)
        ids = [task.pk for task in tasks_of(job)]
        outcomes = [Outcome(task_id, done=True) for task_id in reversed(ids)]

        at_once(
            partial(batches.cancel_all, of(job), by="operator"),
            partial(fast_path.run, spot.pk, outcomes=outcomes[::2]),
            partial(reports.report_in_transaction, outcomes, agent_id=spot.pk, by=""),
            partial(beat, spot, ids[::-1]),
            partial(batches.requeue_all, of(job), by="operator"),
        )

        assert counted(job) == (30, 30, 0, 0)
        assert counts_are_true(job)
