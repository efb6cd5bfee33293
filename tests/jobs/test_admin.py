"""People steer jobs in the admin, with a preview of each verb."""

import pytest
from django.urls import reverse

from jobs import transitions as jobs
from jobs.models import Job
from tests.console.clicking import audit, choose, click, messages_of, preview
from tests.console.people import browser_of
from tests.factories import counted, give, make_agent, make_job, sweeps, take, tasks_of
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db

VERBS = ["cancel", "retry_failed"]


@pytest.fixture
def operator():
    return browser_of("Operator")


def make_failed_job(*, tasks=3):
    """A job whose first task failed for good."""
    job = make_job(tasks=tasks, max_attempts=1)
    fail(give(make_agent("agent-1"), sweeps()))
    return job


def statuses(job):
    return [task.status for task in tasks_of(job)]


def test_cancelling_shows_a_preview_and_cancels(operator):
    job = make_job(tasks=5)
    take(make_agent(), sweeps(), max_tasks=2)

    assert preview(operator, job, "cancel") == [
        "Cancels 3 waiting tasks.",
        "Asks the agents of 2 running tasks to stop.",
    ]
    page = click(operator, job, "cancel", "wrong grid")

    assert messages_of(page) == ["Cancel: 1 done."]
    assert statuses(job) == ["in_progress", "in_progress", "cancelled", "cancelled", "cancelled"]
    assert audit(job) == [("cancel", "user:operator", "wrong grid", "")]
    assert Job.objects.get(pk=job.pk).cancel_asked_at


def test_a_job_that_has_ended_is_not_cancelled(operator):
    job = make_job(tasks=1)
    complete(give(make_agent(), sweeps()))

    assert "1 job has ended and will refuse." in preview(operator, job, "cancel")
    page = click(operator, job, "cancel")

    assert messages_of(page) == [f"{job.pk}: job is completed"]
    assert audit(job) == [("cancel", "user:operator", "it hangs", "job_over")]


def test_retrying_puts_failed_tasks_back_in_the_queue(operator):
    job = make_failed_job(tasks=3)

    assert preview(operator, job, "retry_failed") == [
        "Puts 1 failed task back in the queue, with all its attempts."
    ]
    page = click(operator, job, "retry_failed", "the disk is repaired")

    assert messages_of(page) == ["Retry failed: 1 done."]
    assert statuses(job) == ["queued"] * 3
    assert counted(job) == (3, 0, 0, 0)
    assert audit(job) == [("retry_failed", "user:operator", "the disk is repaired", "")]


def test_a_cancelled_job_is_not_retried(operator):
    job = make_failed_job()
    jobs.cancel(job.pk, by="tests")

    assert preview(operator, job, "retry_failed") == [
        "1 job was cancelled and will refuse.",
    ]
    page = click(operator, job, "retry_failed")

    assert messages_of(page) == [f"{job.pk}: job was cancelled"]
    assert statuses(job)[0] == "failed"
    assert audit(job) == [("retry_failed", "user:operator", "it hangs", "job_cancelled")]


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_has_no_button_and_may_not_use_it(verb):
    viewer = browser_of("Viewer")
    job = make_failed_job()
    before = statuses(job)

    shown = viewer.get(reverse("admin:jobs_job_change", args=[job.pk]))
    page = click(viewer, job, verb)

    assert shown.status_code == 200
    assert f"/verb/{verb}/" not in shown.content.decode()
    assert page.status_code == 403
    assert statuses(job) == before
    assert audit(job) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_reason_is_required(operator, verb):
    job = make_failed_job()
    before = statuses(job)

    page = click(operator, job, verb, "")

    assert page.context["form"].errors["reason"]
    assert statuses(job) == before
    assert audit(job) == []


def test_the_audit_has_the_job_s_counters_before_and_after(operator):
    job = make_failed_job(tasks=2)

    choose(operator, [job], "cancel", reason="night")

    page = operator.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "night" in page
    assert counted(job) == (2, 0, 1, 1)


def test_a_job_s_page_shows_progress_results_and_failures(operator):
    job = make_job(tasks=5, max_attempts=1)
    agent = make_agent("agent-1")
    for value in (7.5, 1.25, None):
        complete(give(agent, sweeps()), result={"fopt": value})
    failed = give(agent, sweeps())
    fail(failed)

    page = operator.get(reverse("admin:jobs_job_change", args=[job.pk]))

    progress, unserved, best, _ = page.context["tables"]
    counts = dict(zip(progress.heads, progress.rows[0], strict=True))
    assert (counts["Done"], counts["Failed"], counts["Waiting"], counts["All"]) == (3, 1, 1, 5)
    assert unserved.rows == [[1, ""]]  # no SPOT is there for the one that waits
    assert [row[1] for row in best.rows] == [1.25, 7.5]
    page = page.content.decode()
    assert "80 %" in page
    assert f">{failed.title}<" in page
    assert "job.created" in page


def test_jobs_are_listed_and_found_by_the_id_that_clients_know(operator):
    job, other = make_job(tasks=1), make_job(tasks=1)

    url = reverse("admin:jobs_job_changelist")
    page = operator.get(url, {"q": job.public_id}).content.decode()

    assert job.public_id in page
    assert other.public_id not in page
