"""Those who change the tasks of a job at the same moment, on a real PostgreSQL.

Each race is run often enough for its parties to meet in every order; where it matters, the order
is also forced. In the end the counters equal a recount. A deadlock raises, so none may occur.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from random import Random

import pytest
from django.db import transaction

from agents import transitions as agents
from agents.models import Agent, Protocol
from agents.transitions import Beat
from jobs import tally
from jobs.models import Job, Tally
from tasks import batches, fastlane, holds, reports, requirements, transitions, ways
from tasks.exceptions import WrongStatus
from tasks.fastlane import Outcome
from tasks.models import Attempt, Task
from tasks.reports import Verdict
from tasks.states import Status
from tests.factories import (
    counted,
    fresh,
    let_lease_run_out,
    make_agent,
    make_job,
    make_job_tasks,
    recounted,
    silence,
    sweeps,
    tasks_of,
)
from tests.racing import at_once, waits_for_a_lock, with_connection

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6
ACCEPTED, ALREADY, LOST = Verdict.ACCEPTED, Verdict.ALREADY, Verdict.LOST


def of(job):
    return Task.objects.filter(job=job)


def make_spot(name):
    return make_agent(name, protocol=Protocol.SPOT)


def claim(agent, max_tasks=1):
    wish = ways.Wish(
        agent.pk,
        ids=[sweeps().pk],
        max_tasks=max_tasks,
        lease_seconds=60,
        protocol=Protocol.SPOT,
    )
    return [task.pk if isinstance(task, Task) else task.id for task in ways.claim(wish)]


def report(agent, task_id, *, done=True, retriable=True, epoch=None):
    outcome = Outcome(task_id, done, agent.pk, "broken", retriable, epoch)
    return ways.report_one(outcome, agent_id=agent.pk, by="").verdict


def beat(agent, task_ids):
    """A heartbeat that lists tasks; those of them that are renewed."""
    with transaction.atomic():
        agents.beat(Beat(agent.pk, protocol=Protocol.SPOT))
        return holds.renew_listed(agent.pk, dict.fromkeys(task_ids))


def make_held_by(agent, number=1, **fields):
    """A job of which the agent holds every task."""
    job = make_job(tasks=number, **fields)
    assert len(claim(agent, number)) == number
    return job


def end_holds(end, job, agent):
    """As if the leases had run out, or the agent had fallen silent."""
    if end == "expiry":
        for task in tasks_of(job):
            let_lease_run_out(task)
    else:
        silence(agent)


def reap(end):
    return holds.expire_leases() if end == "expiry" else holds.release_lost()


def counts_are_true(job):
    assert counted(job) == recounted(job)
    tally.fold()
    assert not Tally.objects.exists()
    row = Job.objects.get(pk=job.pk)
    assert (row.total, row.completed, row.failed, row.cancelled) == recounted(job)
    return True


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


def test_the_same_outcome_said_over_and_over_is_counted_once():
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
def test_a_heartbeat_against_the_reaper_renews_or_hears_what_is_lost(end):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 4)
        end_holds(end, job, spot)
        ids = [task.pk for task in tasks_of(job)]

        renewed, _, reaped = at_once(partial(beat, spot, ids[::-1]), tally.fold, partial(reap, end))

        held = {task.pk for task in of(job).in_progress()}
        assert renewed == held
        assert {task.pk for task in reaped.retried} == set(ids) - held
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


def test_an_agent_that_is_just_speaking_is_not_lost_whatever_it_lists():
    spot = make_spot("spot-1")
    job = make_held_by(spot, 2)
    silence(spot)

    with transaction.atomic():
        beat(spot, [])
        assert len(at_once(holds.release_lost)[0]) == 0

    assert not holds.release_lost()
    assert of(job).in_progress().count() == 2


@every_end
def test_a_heartbeat_waits_for_the_reaper_that_was_first_and_hears_of_it(end):
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


# A requeue against claims.


def make_failed(number):
    job = make_held_by(spot := make_spot("failing"), number, max_attempts=1)
    for task in tasks_of(job):
        assert report(spot, task.pk, done=False) == ACCEPTED
    return job


def test_a_requeue_against_claims_gives_each_task_once_and_forgets_none():
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


def test_a_cancelled_job_gives_nothing_out_and_asks_for_what_it_gave():
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
def test_a_cancellation_against_the_reaper_is_forgotten_by_nobody(end):
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 6)
        end_holds(end, job, spot)

        at_once(partial(reap, end), partial(batches.cancel_all, of(job), by="operator"))
        reap(end)

        assert counted(job) == (6, 0, 0, 6)
        assert counts_are_true(job)


def test_those_who_want_the_same_tasks_wait_for_each_other_in_one_order():
    spot = make_spot("spot-1")
    for _ in range(ROUNDS):
        job = make_held_by(spot, 30)
        ids = [task.pk for task in tasks_of(job)]
        outcomes = [Outcome(task_id, done=True) for task_id in reversed(ids)]

        at_once(
            partial(batches.cancel_all, of(job), by="operator"),
            partial(fastlane.run, spot.pk, outcomes=outcomes[::2]),
            partial(reports.report, outcomes, agent_id=spot.pk, by=""),
            partial(beat, spot, ids[::-1]),
            partial(batches.requeue_all, of(job), by="operator"),
        )

        assert counted(job) == (30, 30, 0, 0)
        assert counts_are_true(job)


# Folding against folding.


def test_one_who_folds_waits_for_another_who_folds_the_same_job_and_adds_to_it():
    spot = make_spot("spot-1")
    job = make_held_by(spot, 3)
    first, second, third = (task.pk for task in tasks_of(job))
    report(spot, first)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert tally.fold() > 0
            assert at_once(partial(report, spot, second)) == [ACCEPTED]
            folding = pool.submit(with_connection, tally.fold)
            assert waits_for_a_lock(folding)
            assert at_once(partial(report, spot, third)) == [ACCEPTED]
        assert folding.result(timeout=30) == 1

    assert Tally.objects.count() == 1
    assert counted(job) == (3, 3, 0, 0)
    assert counts_are_true(job)


def test_whoever_looks_meanwhile_never_sees_a_task_missing_or_counted_twice():
    spot = make_spot("spot-1")
    job = make_job(tasks=60)

    def work():
        while ids := claim(spot, 3):
            for task_id in ids:
                report(spot, task_id)

    def look():
        seen = [(60, 0, 0, 0)]
        while seen[-1][1] < 60:
            seen.append(counted(job))
            tally.fold()
        return seen

    _, *looks = at_once(work, look, look)

    for seen in looks:
        assert seen == sorted(seen)
        assert {(total, failed, cancelled) for total, _, failed, cancelled in seen} == {(60, 0, 0)}
    assert counts_are_true(job)


# Many at once.


def test_sixteen_claimers_share_a_thousand_tasks_nothing_twice_and_none_left():
    job = make_job()
    for wants in ({}, {"algorithm": "PSO"}, {"algorithm": "GA"}, {"algorithm": "DE"}):
        make_job_tasks(job, 250, wants=wants)
    spots = [make_spot(f"spot-{n:02}") for n in range(16)]

    def work(spot):
        mine = []
        while of(job).queued().exists():
            claimed = claim(spot, 5)
            mine += claimed
            outcomes = [Outcome(task_id, done=True) for task_id in reversed(claimed)]
            assert fastlane.run(spot.pk, outcomes=outcomes).served
        return mine

    shares = at_once(*[partial(work, spot) for spot in spots])

    claimed = [task_id for share in shares for task_id in share]
    assert len(claimed) == len(set(claimed)) == 1_000
    assert counted(job) == (1_000, 1_000, 0, 0)
    assert counts_are_true(job)
    assert set(of(job).values_list("lease_epoch", flat=True)) == {1}
    assert Job.objects.get().status == "COMPLETED"


def test_an_agent_that_asks_twice_at_once_gets_no_more_than_it_has_room_for():
    spot = make_agent("spot-1", protocol=Protocol.SPOT, capacity=3)
    for _ in range(ROUNDS):
        job = make_job(tasks=12)

        shares = at_once(*[partial(claim, spot, 3)] * 4)

        assert sum(map(len, shares)) == of(job).in_progress().count() == 3
        for task_id in [task_id for share in shares for task_id in share]:
            report(spot, task_id)
        batches.cancel_all(of(job), by="operator")


def test_the_same_new_requirement_is_made_once():
    for n in range(ROUNDS):
        wants = {"algorithm": f"number {n}"}

        rows = at_once(*[partial(requirements.of, wants)] * 4)

        assert len({row.pk for row in rows}) == 1


def test_everything_at_once_drifts_nowhere_and_locks_nobody_out():
    """The verbs of agents, operators and the loop, all on one job, in a random order each."""
    job = make_job(tasks=60, max_attempts=3)
    spots = [make_spot(f"spot-{n}") for n in range(4)]
    serial = count()

    def as_spot(spot):
        chance = Random(next(serial))  # noqa: S311
        for _ in range(40):
            ids = claim(spot, chance.randint(1, 5))
            beat(spot, ids[::-1])
            chance.shuffle(ids)
            for task_id in ids:
                said = chance.random()
                if said < 0.2:
                    reports.refuse(task_id, agent_id=spot.pk)
                elif said < 0.9:
                    report(spot, task_id, done=said < 0.4, retriable=said < 0.8)

    def as_loop():
        for _ in range(60):
            for task in of(job).in_progress()[:2]:
                let_lease_run_out(task)
            silence(spots[0])
            holds.expire_leases()
            holds.release_lost()
            holds.wake_postponed()
            tally.fold()

    def as_operator():
        chance = Random(1)  # noqa: S311
        for n in range(25):
            batches.requeue_all(of(job), by="operator")
            if n % 5 == 4:
                ids = list(of(job).values_list("pk", flat=True))
                batches.cancel_all(of(job).filter(pk__in=chance.sample(ids, 10)), by="operator")
                make_job_tasks(job, 10)

    at_once(*[partial(as_spot, spot) for spot in spots], as_loop, as_loop, as_operator)

    assert counts_are_true(job)
    for task in tasks_of(job):
        assert (task.status == Status.FAILED) == (task.dead_letter != "")
        assert Attempt.objects.filter(task=task).count() <= task.lease_epoch
    assert fresh(job).total == 110
