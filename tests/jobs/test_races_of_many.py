"""Many agents, or all kinds of actors at once, on the tasks of a job.

Each race is run often enough for its parties to meet in every order; where it matters, the order
is also forced. In the end the counters equal a recount. A deadlock raises, so none may occur.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from random import Random

import pytest
from django.db import transaction

from agents.models import Protocol
from jobs import tally
from jobs.models import Job, Tally
from tasks import batches, leases, reports, requirements
from tasks.models import Attempt
from tasks.rows import Outcome
from tasks.states import Status
from tests.factories import (
    counted,
    fresh,
    let_lease_run_out,
    make_agent,
    make_job,
    make_job_tasks,
    run_fast,
    silence,
    tasks_of,
)
from tests.jobs.racers import (
    ACCEPTED,
    ROUNDS,
    beat,
    claim,
    counts_are_true,
    make_held_by,
    make_spot,
    of,
    report,
)
from tests.racing import at_once, with_connection

pytestmark = pytest.mark.django_db(transaction=True)

# Folding against folding.


def test_a_fold_leaves_a_job_that_is_being_folded_and_adds_up_later():
    spot = make_spot("spot-1")
    job = make_held_by(spot, 3)
    first, second, third = (task.pk for task in tasks_of(job))
    report(spot, first)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert tally.fold() > 0
        assert at_once(partial(report, spot, second)) == [ACCEPTED]
        assert pool.submit(with_connection, tally.fold).result(timeout=30) == 0
        assert at_once(partial(report, spot, third)) == [ACCEPTED]

    assert Tally.objects.count() == 2
    assert tally.fold() == 2
    assert counted(job) == (3, 3, 0, 0)
    assert counts_are_true(job)


def test_no_reader_sees_a_task_missing_or_counted_twice():
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
            assert run_fast(spot.pk, outcomes=outcomes)
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


def test_everything_at_once_causes_neither_drift_nor_deadlock():
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
                number = chance.random()
                if number < 0.2:
                    reports.refuse(task_id, agent_id=spot.pk)
                elif number < 0.9:
                    report(spot, task_id, done=number < 0.4, retriable=number < 0.8)

    def as_loop():
        for _ in range(60):
            for task in of(job).in_progress()[:2]:
                let_lease_run_out(task)
            silence(spots[0])
            leases.expire_leases()
            leases.release_lost()
            leases.wake_postponed()
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
