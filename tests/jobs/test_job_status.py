"""A job's status and times follow from its counters, and each change is one event."""

import pytest
from django.db import connection

from events.models import Event
from jobs import tally
from tasks import batches, claims, dead_letters, transitions
from tasks.rows import ClaimRequest
from tests.factories import counted, give, make_agent, make_job, run_fast, sweeps, tasks_of
from tests.jobs.counting import complete, fail, of, retry, seen, work_off

pytestmark = pytest.mark.django_db


def events(job):
    about = Event.objects.filter(type__startswith="job.", job_id=str(job.pk)).order_by("id")
    return list(about.values_list("type", flat=True))


@pytest.mark.parametrize("path", ["fast", "transactional"])
def test_the_first_claim_starts_the_job_and_a_retry_does_not_undo_that(path):
    job = make_job(tasks=2)
    assert (seen(job).status, seen(job).started_at) == ("PENDING", None)

    if path == "fast":
        run_fast("a", channel=sweeps().pk)
    else:
        claims.claim_in_transaction(ClaimRequest("a", ids=[sweeps().pk]))

    started = seen(job).started_at
    assert (seen(job).status, started is None) == ("RUNNING", False)
    retry(of(job).in_progress().get())
    assert (seen(job).status, seen(job).started_at) == ("RUNNING", started)
    give(make_agent("a"), sweeps())
    assert (seen(job).status, seen(job).started_at) == ("RUNNING", started)
    assert events(job) == ["job.created", "job.started"]


def test_a_claim_by_hand_starts_the_job_too():
    job = make_job(tasks=2)

    transitions.assign(tasks_of(job)[1].pk, make_agent().pk, by="operator")

    assert seen(job).status == "RUNNING"


# The status that follows.


@pytest.mark.parametrize(
    ("counts", "started", "asked", "status"),
    [
        ((0, 0, 0, 0), False, False, "PENDING"),
        ((3, 0, 0, 0), False, False, "PENDING"),
        ((3, 0, 0, 0), False, True, "PENDING"),
        ((3, 0, 0, 0), True, False, "RUNNING"),
        ((3, 0, 0, 1), False, False, "RUNNING"),
        ((3, 1, 1, 0), True, False, "RUNNING"),
        ((3, 1, 1, 0), True, True, "RUNNING"),
        ((3, 3, 0, 0), True, False, "COMPLETED"),
        ((3, 1, 2, 0), True, False, "COMPLETED"),
        ((3, 1, 0, 2), True, False, "COMPLETED"),
        ((3, 0, 3, 0), True, False, "FAILED"),
        ((3, 0, 1, 2), True, False, "FAILED"),
        ((3, 0, 0, 3), False, False, "CANCELLED"),
        ((3, 0, 0, 3), False, True, "CANCELLED"),
        ((3, 2, 1, 0), True, True, "CANCELLED"),
        ((3, 3, 0, 0), True, True, "CANCELLED"),
        ((0, 0, 0, 0), True, False, "FAILED"),
        ((0, 0, 0, 0), True, True, "CANCELLED"),
    ],
)
def test_the_status_follows_from_the_counts(counts, started, asked, status):
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_status(%s, %s, %s, %s, %s, %s)", [*counts, started, asked])

        assert cursor.fetchone() == (status,)


def test_a_job_ends_with_its_last_task_and_a_requeue_takes_its_count_back():
    job = make_job(tasks=2)
    give(make_agent("a"), sweeps())
    complete(tasks_of(job)[0])
    give(make_agent("a"), sweeps())
    assert seen(job).finished_at is None
    fail(tasks_of(job)[1])

    ended = seen(job)
    assert (ended.status, counted(job)) == ("COMPLETED", (2, 1, 1, 0))
    assert ended.created_at <= ended.started_at <= ended.finished_at

    batches.requeue_all(of(job), by="operator")
    assert (seen(job).status, seen(job).finished_at) == ("RUNNING", None)
    assert counted(job) == (2, 1, 0, 0)

    work_off(job)
    again = seen(job)
    assert (again.status, counted(job)) == ("COMPLETED", (2, 2, 0, 0))
    assert (again.started_at, again.finished_at > ended.finished_at) == (ended.started_at, True)


def test_the_journal_tells_each_change_of_the_jobs_status_once():
    job = make_job(tasks=3)
    for _ in range(2):
        give(make_agent("a"), sweeps())
        fail(of(job).in_progress().get())
        tally.fold()
        tally.fold()
    work_off(job, failing=True)
    tally.fold()
    batches.requeue_all(of(job), by="operator")
    tally.fold()
    work_off(job)
    tally.fold()

    assert events(job) == [
        "job.created", "job.started", "job.failed", "job.reopened", "job.completed"
    ]  # fmt: skip
    last = Event.objects.filter(type="job.completed").get()
    assert last.payload == {
        "from": "RUNNING", "to": "COMPLETED", "total": 3, "completed": 3, "failed": 0,
        "cancelled": 0,
    }  # fmt: skip
    assert (last.actor, last.source) == ("coordinator", "coordinator")


def test_a_job_that_was_done_between_two_folds_is_one_event():
    job = make_job(tasks=1)
    work_off(job)

    seen(job)

    assert events(job) == ["job.created", "job.completed"]


def test_a_job_all_of_whose_tasks_were_cancelled_is_cancelled():
    job = make_job(tasks=2)

    batches.cancel_all(of(job), by="operator")

    assert (seen(job).status, seen(job).started_at) == ("CANCELLED", None)
    assert seen(job).finished_at
    assert events(job) == ["job.created", "job.cancelled"]


def test_a_failed_job_whose_dead_letters_were_purged_stays_failed():
    job = make_job(tasks=2)
    work_off(job, failing=True)
    assert seen(job).status == "FAILED"

    dead_letters.every(dead_letters.purge, of(job).failed(), by="operator", reason="")

    assert (seen(job).status, counted(job)) == ("FAILED", (0, 0, 0, 0))
    assert seen(job).finished_at
    assert "job.reopened" not in events(job)


def test_a_job_that_never_began_and_lost_its_tasks_is_not_over():
    job = make_job(tasks=2)

    of(job).delete()

    assert (seen(job).status, seen(job).finished_at) == ("PENDING", None)
