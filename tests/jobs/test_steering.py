"""B17: jobs are listed, cancelled and retried."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from api.fields import NOBODY
from events.models import Event
from jobs import transitions
from jobs.exceptions import JobUnknown
from jobs.models import Job
from tasks.models import Task
from tests.jobs.calls import assert_counts_are_true, row
from tests.spots.calls import data, refusal

pytestmark = pytest.mark.django_db


def events(type_, **fields):
    return Event.objects.filter(type=type_, **fields)


def test_b17_cancelling_ends_queued_tasks_and_asks_running_ones(sweeps, spots):
    job_id = sweeps.of(5)
    held = spots.claim(number=2)

    body = data(sweeps.cancel(job_id, reason="wrong grid"))

    assert body == {
        "success": True,
        "jobId": job_id,
        "status": "RUNNING",
        "cancelled": 3,
        "asked": 2,
    }
    assert sweeps.counts(job_id) == ("RUNNING", 0, 0, 3)
    assert data(spots.beat())["cancelled"] == [task["id"] for task in held]
    assert sweeps.job(job_id)["cancelAskedAt"]


def test_a_cancelled_job_ends_with_its_last_task(sweeps, spots):
    job_id = sweeps.of(3)
    done, failed = spots.claim(number=2)
    sweeps.cancel(job_id)

    data(spots.complete(done))
    assert data(spots.fail(failed))["willRetry"] is False

    assert sweeps.counts(job_id) == ("CANCELLED", 1, 0, 2)
    assert_counts_are_true(row(job_id))
    assert sweeps.job(job_id)["finishedAt"]


def test_a_job_without_a_claimed_task_is_cancelled_at_once(sweeps, spots):
    job_id = sweeps.of(3)

    assert data(sweeps.cancel(job_id))["status"] == "CANCELLED"

    assert spots.claim() == []


def test_cancelling_again_does_what_is_left(sweeps, spots):
    job_id = sweeps.of(2)
    spots.claim_one()
    sweeps.cancel(job_id)

    again = data(sweeps.cancel(job_id))

    assert (again["cancelled"], again["asked"]) == (0, 0)
    assert Event.objects.filter(type="job.cancel_asked").count() == 1


def test_cancelling_leaves_other_jobs_alone(sweeps, spots):
    one, other = sweeps.of(2), sweeps.of(2)

    sweeps.cancel(one)

    assert [task["jobId"] for task in spots.claim()] == [other] * 2


@pytest.mark.parametrize("retriable", [None, False])
def test_a_job_that_has_ended_is_not_cancelled(sweeps, spots, retriable):
    job_id = sweeps.of(1)
    task = spots.claim_one()
    spots.complete(task) if retriable is None else spots.fail(task, retriable=False)
    before = sweeps.job(job_id)

    status, message = refusal(sweeps.cancel(job_id))

    assert (status, message) == (409, f"job is {before['status'].lower()}")
    assert sweeps.job(job_id) == before


def test_the_journal_has_who_cancelled_and_why(sweeps, spots):
    job_id = sweeps.of(2)

    sweeps.cancel(job_id, reason="wrong grid")

    assert events("job.created").get().job_id == str(row(job_id).pk)
    assert events("job.cancel_asked").get().reason == "wrong grid"
    assert set(events("task.cancelled").values_list("actor", "reason")) == {("local", "wrong grid")}


def test_b17_a_retry_puts_failed_tasks_back_with_all_their_attempts(sweeps, spots):
    job_id = sweeps.of(3, maxAttempts=2)
    done, *failing = spots.claim()
    spots.complete(done)
    for task in failing:
        spots.fail(task, retriable=False)
    assert sweeps.counts(job_id) == ("COMPLETED", 1, 2, 0)

    body = data(sweeps.retry(job_id, reason="more memory"))

    assert body == {"success": True, "jobId": job_id, "status": "RUNNING", "retried": 2}
    assert sweeps.counts(job_id) == ("RUNNING", 1, 0, 0)
    again = spots.claim()
    assert {task["id"] for task in again} == {task["id"] for task in failing}
    for task in again:
        assert data(spots.fail(task))["willRetry"] is True
    assert events("task.requeued", reason="more memory").count() == 2
    assert_counts_are_true(row(job_id))


def test_a_retry_of_nothing_changes_nothing(sweeps):
    job_id = sweeps.of(1)
    before = sweeps.job(job_id)

    assert data(sweeps.retry(job_id))["retried"] == 0

    assert sweeps.job(job_id) == before


def test_a_cancelled_job_is_not_tried_again(sweeps, spots):
    job_id = sweeps.of(2)
    spots.fail(spots.claim_one(), retriable=False)
    sweeps.cancel(job_id)

    assert refusal(sweeps.retry(job_id)) == (409, "job was cancelled")
    assert sweeps.counts(job_id) == ("CANCELLED", 0, 1, 1)


@pytest.mark.parametrize("verb", [transitions.cancel, transitions.retry_failed])
def test_there_must_be_a_job_to_steer(verb):
    with pytest.raises(JobUnknown):
        verb(NOBODY, by="operator")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'{"reason": 7}'])
def test_a_bad_reason_changes_nothing(sweeps, verb, body):
    job_id = sweeps.of(1)

    assert refusal(sweeps.post(f"/{job_id}/{verb}", body))[0] == 400
    assert Task.objects.queued().count() == 1


def test_b17_jobs_are_listed_the_newest_first(sweeps):
    made = [sweeps.of(1) for _ in range(3)]

    listed = data(sweeps.get())["jobs"]

    assert [job["id"] for job in listed] == made[::-1]
    assert listed[0].items() <= sweeps.job(made[-1]).items()


def ids(response):
    return [job["id"] for job in data(response)["jobs"]]


def test_a_list_continues_by_its_cursor(sweeps):
    made = [sweeps.of(1) for _ in range(5)]
    found, cursor = [], ""

    while True:
        page = data(sweeps.get(limit=2, cursor=cursor))
        found += [job["id"] for job in page["jobs"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
        sweeps.of(1)

    assert found == made[::-1]


def test_a_list_may_be_paged_by_offset(sweeps):
    made = [sweeps.of(1) for _ in range(5)]

    page = data(sweeps.get(limit=2, offset=1))

    assert [job["id"] for job in page["jobs"]] == made[::-1][1:3]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)


def test_a_list_shows_the_status_of_this_moment_and_is_filtered_by_it(sweeps, spots):
    completed, running, pending = sweeps.of(1), sweeps.of(2), sweeps.of(1)
    spots.complete(spots.claim_one())
    spots.claim_one()

    assert [job["status"] for job in data(sweeps.get())["jobs"]] == [
        "PENDING",
        "RUNNING",
        "COMPLETED",
    ]
    assert ids(sweeps.get(status="COMPLETED")) == [completed]
    assert ids(sweeps.get(status="running")) == [running]
    assert ids(sweeps.get(status="PENDING", offset=0)) == [pending]
    assert sweeps.get(status="unheard of").status_code == 400


def test_a_list_is_filtered_by_name_and_time(sweeps):
    two_days_ago = timezone.now() - timedelta(days=2)
    key = UUID(int=int(two_days_ago.timestamp() * 1000) << 80)
    old = Job.objects.create(id=key, kind="sweep", name="first try", created_at=two_days_ago)
    old, new = old.public_id, sweeps.of(1, name="Second TRY")
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()

    assert ids(sweeps.get(name="second")) == [new]
    assert ids(sweeps.get(name="try")) == [new, old]
    assert ids(sweeps.get(created_before=yesterday)) == [old]
    assert ids(sweeps.get(created_after=yesterday)) == [new]


@pytest.mark.parametrize(
    "query",
    [{"cursor": "x"}, {"limit": "ten"}, {"offset": "-1"}, {"created_after": "yesterday"}],
)
def test_invalid_queries_of_a_list_are_refused(sweeps, query):
    answer = sweeps.get(**query)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")
