"""Agents and reapers on the same tasks at the same moment.

Each race is run often enough for its parties to meet in every order; where it matters, the order
is also forced. In the end the counters equal a recount. A deadlock raises, so none may occur.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import transaction

from agents.models import Agent
from jobs import tally
from tasks import batches, leases
from tasks.models import Attempt
from tasks.states import Status
from tests.factories import (
    counted,
    silence,
    tasks_of,
)
from tests.jobs.racers import (
    ACCEPTED,
    ALREADY,
    LOST,
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
from tests.racing import at_once, waits_for_a_lock, with_connection

pytestmark = pytest.mark.django_db(transaction=True)

every_end = pytest.mark.parametrize("end", ["expiry", "loss"])


# A report against the reaper.


@every_end
def test_a_completion_against_the_reaper_always_counts_once(end):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 3, max_attempts=9)
        end_holds(end, job, spot)
        ids = [task.pk for task in tasks_of(job)]

        def complete(ids=ids):
            return [report(spot, task_id) for task_id in ids]

        verdicts, *_ = at_once(complete, partial(reap, end), partial(reap, end), tally.fold)

        assert verdicts == [ACCEPTED] * 3
        assert counted(job) == (3, 3, 0, 0)
        assert counts_are_true(job)
        assert {task.result for task in tasks_of(job)} == {"spot-1"}
        assert {task.closed_epoch for task in tasks_of(job)} == {1}


@every_end
@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_fail_against_the_reaper_uses_at_most_one_attempt(end, max_attempts):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 3, max_attempts=max_attempts)
        end_holds(end, job, spot)

        def fail(job=job):
            return [report(spot, task.pk, done=False) for task in tasks_of(job)]

        verdicts, *_ = at_once(fail, partial(reap, end), tally.fold)

        assert set(verdicts) <= {ACCEPTED, ALREADY, LOST}
        for task in tasks_of(job):
            bad = Attempt.objects.get(task=task)
            assert (bad.epoch, bad.agent_id) == (1, "spot-1")
            assert task.attempts <= 1
            final = task.attempts == 1 and max_attempts == 1
            assert task.status == (Status.FAILED if final else Status.QUEUED)
            assert (task.dead_letter != "") == final
        assert counts_are_true(job)
        batches.cancel_all(of(job), by="operator")


@every_end
def test_a_report_waits_for_the_reaper_that_was_first_and_counts_all_the_same(end):
    spot = make_spot("spot-1")
    job = make_held_by(spot)
    end_holds(end, job, spot)
    task = tasks_of(job)[0]

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(reap(end)) == 1
            reporting = pool.submit(with_connection, partial(report, spot, task.pk))
            assert waits_for_a_lock(reporting)
        assert reporting.result(timeout=30) == ACCEPTED

    assert counted(job) == (1, 1, 0, 0)
    assert counts_are_true(job)


@every_end
def test_the_reaper_does_not_wait_for_a_report_that_was_first(end):
    spot = make_spot("spot-1")
    job = make_held_by(spot)
    end_holds(end, job, spot)
    task = tasks_of(job)[0]

    with transaction.atomic():
        assert report(spot, task.pk) == ACCEPTED
        reaped = at_once(partial(reap, end))[0]

    assert len(reaped) == len(reap(end)) == 0
    assert counted(job) == (1, 1, 0, 0)
    assert counts_are_true(job)


# A report against one of the holder that was lost.


@every_end
def test_the_report_of_the_lost_holder_never_beats_that_of_the_next(end):
    lost, holder = make_spot("lost"), make_spot("holder")
    for _ in range(ROUNDS):
        job = make_held_by(lost, 3)
        end_holds(end, job, lost)
        assert len(reap(end)) == 3
        ids = claim(holder, 3)

        def finish(spot, epoch, ids=ids):
            return [report(spot, task_id, epoch=epoch) for task_id in ids]

        late, late_too, taken = at_once(
            partial(finish, lost, None), partial(finish, lost, 1), partial(finish, holder, 2)
        )

        assert (late, late_too, taken) == ([LOST] * 3, [LOST] * 3, [ACCEPTED] * 3)
        assert {task.result for task in tasks_of(job)} == {"holder"}
        assert counted(job) == (3, 3, 0, 0)
        assert counts_are_true(job)


@every_end
def test_a_late_completion_against_the_next_claim_has_one_winner(end):
    lost, next_ = make_spot("lost"), make_spot("next")
    for _ in range(ROUNDS):
        job = make_held_by(lost, 3)
        end_holds(end, job, lost)
        reap(end)
        ids = [task.pk for task in tasks_of(job)]

        def complete(ids=ids):
            return {task_id: report(lost, task_id) for task_id in ids}

        verdicts, claimed = at_once(complete, partial(claim, next_, 3))

        for task in tasks_of(job):
            won = verdicts[task.pk] == ACCEPTED
            assert won == (task.pk not in claimed)
            assert verdicts[task.pk] == (ACCEPTED if won else LOST)
            holder = "lost" if won else "next"
            assert (task.status, task.agent_id) == ("done" if won else "in_progress", holder)
        assert [report(next_, task_id) for task_id in claimed] == [ACCEPTED] * len(claimed)
        assert counted(job) == (3, 3, 0, 0)
        assert counts_are_true(job)


def test_a_repeated_outcome_is_counted_once():
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot)
        task = tasks_of(job)[0]

        verdicts = at_once(*[partial(report, spot, task.pk)] * 5)

        assert sorted(verdicts) == [ACCEPTED, *[ALREADY] * 4]
        assert counted(job) == (1, 1, 0, 0)
        assert counts_are_true(job)


# A heartbeat against the reaper.


@every_end
def test_a_heartbeat_against_the_reaper_renews_or_names_lost_tasks(end):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 4)
        end_holds(end, job, spot)
        ids = [task.pk for task in tasks_of(job)]

        renewed, _, reaped = at_once(partial(beat, spot, ids[::-1]), tally.fold, partial(reap, end))

        held = {task.pk for task in of(job).in_progress()}
        assert renewed == held
        assert {task.id for task in reaped.retried} == set(ids) - held
        assert not reap(end)
        assert {task.pk for task in of(job).in_progress()} == held
        assert counts_are_true(job)
        batches.cancel_all(of(job), by="operator")
        assert [report(spot, task_id, done=False) for task_id in held] == [ACCEPTED] * len(held)


@every_end
def test_a_heartbeat_that_was_first_keeps_its_tasks_from_the_reaper(end):
    spot = make_spot("spot-1")
    job = make_held_by(spot, 2)
    end_holds(end, job, spot)
    ids = [task.pk for task in tasks_of(job)]

    with transaction.atomic():
        assert beat(spot, ids) == set(ids)
        assert len(at_once(partial(reap, end))[0]) == 0

    assert not reap(end)
    assert of(job).in_progress().count() == 2


def test_an_agent_that_sends_a_heartbeat_is_not_lost():
    spot = make_spot("spot-1")
    job = make_held_by(spot, 2)
    silence(spot)

    with transaction.atomic():
        beat(spot, [])
        assert len(at_once(leases.release_lost)[0]) == 0

    assert not leases.release_lost()
    assert of(job).in_progress().count() == 2


@every_end
def test_a_heartbeat_waits_for_the_reaper_and_names_lost_tasks(end):
    spot = make_spot("spot-1")
    job = make_held_by(spot, 2)
    end_holds(end, job, spot)
    ids = [task.pk for task in tasks_of(job)]

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(reap(end)) == 2
            beating = pool.submit(with_connection, partial(beat, spot, ids))
            assert waits_for_a_lock(beating)
        assert beating.result(timeout=30) == set()

    assert Agent.objects.online().filter(pk=spot.pk).exists()
    assert counts_are_true(job)
