"""A job's counters, and the status that follows (contract 2.4, scenarios 8 to 12).

Each is looked at before its tallies are counted in and after: that must make no difference.
"""

import pytest

from jobs import tally
from jobs.models import Job, Tally
from tasks import leases
from tasks.models import Task
from tests.factories import let_lease_run_out
from tests.jobs.calls import assert_counts_are_true, row
from tests.spots.calls import data

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["tallies apart", "tallies counted in"])
def seen(request, sweeps):
    """Status, completed, failed and cancelled of a job, as clients see them."""

    def counts(job_id):
        if request.param == "tallies counted in":
            tally.fold()
            assert not Tally.objects.exists()
        assert_counts_are_true(row(job_id))
        return sweeps.counts(job_id)

    return counts


def test_scenario_8_the_only_task_done_completes_the_job(sweeps, spots, seen):
    job_id = sweeps.of(1)
    assert seen(job_id) == ("PENDING", 0, 0, 0)

    spots.complete(spots.claim_one())

    assert seen(job_id) == ("COMPLETED", 1, 0, 0)
    body = sweeps.job(job_id)
    assert body["createdAt"] <= body["startedAt"] <= body["finishedAt"]
    assert body["progress"] == 1.0


def test_scenario_9_a_task_reported_twice_counts_once_with_its_first_result(sweeps, spots, seen):
    job_id = sweeps.of(1)
    task = spots.claim_one()
    spots.complete(task, fopt=1.0, runtimeMs=1)

    again = data(spots.complete(task, fopt=2.0, runtimeMs=2))

    assert again == {"success": True, "message": "already completed"}
    assert seen(job_id) == ("COMPLETED", 1, 0, 0)
    assert sweeps.results(job_id)[0]["fopt"] == 1.0


def test_scenario_10_b16_a_job_whose_tasks_all_failed_is_failed(sweeps, spots, seen):
    job_id = sweeps.of(1)

    spots.fail(spots.claim_one(), retriable=False)

    assert seen(job_id) == ("FAILED", 0, 1, 0)


def test_scenario_11_a_retry_counts_nothing(sweeps, spots, seen):
    job_id = sweeps.of(1)

    assert data(spots.fail(spots.claim_one()))["willRetry"] is True

    assert seen(job_id) == ("RUNNING", 0, 0, 0)
    assert Task.objects.queued().get().attempts == 1


def test_scenario_12_a_job_runs_until_its_last_task_has_ended(sweeps, spots, seen):
    job_id = sweeps.of(2)
    first, second = spots.claim()
    assert seen(job_id) == ("RUNNING", 0, 0, 0)

    spots.complete(first)
    assert seen(job_id) == ("RUNNING", 1, 0, 0)
    assert "finishedAt" not in sweeps.job(job_id)

    spots.complete(second)
    assert seen(job_id) == ("COMPLETED", 2, 0, 0)


def test_one_that_is_done_completes_a_job_whose_others_failed(sweeps, spots, seen):
    job_id = sweeps.of(2)
    first, second = spots.claim()

    spots.complete(first)
    spots.fail(second, retriable=False)

    assert seen(job_id) == ("COMPLETED", 1, 1, 0)


def test_b4_a_task_that_the_reaper_fails_is_counted(sweeps, spots, seen):
    job_id = sweeps.of(1, maxAttempts=1)
    spots.claim_one()

    let_lease_run_out(Task.objects.get())
    leases.expire_leases()

    assert seen(job_id) == ("FAILED", 0, 1, 0)


def test_a_task_that_the_reaper_takes_back_is_not_counted(sweeps, spots, seen):
    job_id = sweeps.of(1)
    spots.claim_one()

    let_lease_run_out(Task.objects.get())
    leases.expire_leases()

    assert seen(job_id) == ("RUNNING", 0, 0, 0)


def test_tasks_of_no_job_count_nowhere(sweeps, spots, seen):
    job_id = sweeps.of(1)

    assert Job.objects.count() == 1
    assert seen(job_id) == ("PENDING", 0, 0, 0)


def test_jobs_count_apart(sweeps, spots, seen):
    one, other = sweeps.of(1), sweeps.of(1)

    spots.complete(spots.claim_one())

    assert seen(one) == ("COMPLETED", 1, 0, 0)
    assert seen(other) == ("PENDING", 0, 0, 0)
