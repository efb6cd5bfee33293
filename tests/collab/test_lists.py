"""The list of jobs by its filters and its cursors."""

from datetime import datetime, timedelta

import pytest

from chains import transitions as chains
from collab.states import JobStatus
from tasks.models import Task
from tests.collab.calls import data, refusal
from tests.factories import fail_at_once, make_agent, make_chain, make_channel, make_task, take

pytestmark = pytest.mark.django_db


def ids(page):
    return {job["id"] for job in page["items"]}


@pytest.fixture
def each(collab):
    """A job in each status that there is, by it; one is of a chain whose agent went away."""
    jobs = {"queued": collab.assign("queued")}
    for status in ("assigned", "running", "succeeded", "cancelled", "dead_lettered"):
        jobs[status] = collab.held(executor=status)
    data(collab.by_worker("start", jobs["running"]))
    data(collab.result(jobs["succeeded"]))
    data(collab.result(jobs["dead_lettered"], ok=False, retryable=False))
    data(collab.post("/task.cancel", jobId=jobs["cancelled"]["id"], mode="hard"))
    return {status: job if isinstance(job, str) else job["id"] for status, job in jobs.items()}


def test_jobs_are_found_by_each_status(collab, each):
    for status in JobStatus.values:
        found = ids(collab.recent(status=status))
        assert found == ({each[status]} if status in each else set()), status
    assert ids(collab.recent()) == set(each.values())


def test_a_locked_task_is_a_running_job(collab):
    chain = make_chain(tasks=1)
    [task] = take(make_agent("agent-1"), chain.channel)
    chains.detach(chain.pk, owner_id=None, by="tests")

    assert ids(collab.recent(status="running")) == {str(task.pk)}
    assert collab.job(task.pk)["status"] == "running"


def test_a_status_that_there_is_not_is_refused(collab):
    answer = collab.get("/jobs/recent", status="waiting")

    assert refusal(answer) == (400, "validation_error")
    assert list(answer.json()["details"]) == ["status"]


def test_jobs_are_found_by_type_and_executor(collab):
    build, test = collab.assign("Builds", "build"), collab.assign("Builds", "test")
    other = collab.assign("others", "build")

    assert ids(collab.recent(type="build")) == {build, other}
    assert ids(collab.recent(executorId="builds")) == {build, test}
    assert ids(collab.recent(executorId="builds", type="build", status="queued")) == {build}
    assert ids(collab.recent(executorId="none")) == set()


def test_jobs_are_found_by_a_half_open_period(collab):
    found = [collab.assign() for _ in range(3)]
    for days, job_id in enumerate(found):
        made = Task.objects.get(pk=job_id).created_at
        Task.objects.filter(pk=job_id).update(created_at=made + timedelta(minutes=10 * days))
    stamps = [collab.job(job_id)["created_at"] for job_id in found]

    assert ids(collab.recent(**{"from": stamps[1]})) == {found[1], found[2]}
    assert ids(collab.recent(to=stamps[1])) == {found[0]}
    assert ids(collab.recent(**{"from": stamps[0], "to": stamps[2]})) == {found[0], found[1]}
    answer = collab.get("/jobs/recent", to="yesterday")
    assert refusal(answer) == (400, "validation_error")


@pytest.mark.parametrize(
    "cursor", ["null", "x", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z|x", "|", "0001-01-01"]
)
def test_a_cursor_that_is_none_is_refused(collab, cursor):
    assert refusal(collab.get("/jobs/recent", cursor=cursor)) == (400, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "9" * 30, "1" * 5_000])
def test_a_limit_is_from_1_to_100(collab, limit):
    answer = collab.get("/jobs/recent", limit=limit)

    assert refusal(answer) == (400, "validation_error")
    assert list(answer.json()["details"]) == ["limit"]


def test_a_page_has_twenty_rows_where_nothing_is_said(collab):
    channel = make_channel()
    for _ in range(21):
        make_task(channel)

    page = collab.recent()

    assert page["count"] == 20
    assert collab.recent(cursor=page["nextCursor"])["count"] == 1


def test_a_time_is_a_cursor_too(collab):
    first, second = collab.assign(), collab.assign()
    made = datetime.fromisoformat(collab.job(first)["created_at"])
    later = made + timedelta(minutes=5)
    Task.objects.filter(pk=second).update(created_at=later)

    page = collab.recent(cursor=later.isoformat().replace("+00:00", "Z"))

    assert ids(page) == {first}


def test_rows_of_one_moment_are_neither_lost_nor_repeated(collab):
    channel = make_channel()
    made = {str(make_task(channel).pk) for _ in range(7)}  # one transaction, one created_at
    found, cursor = [], {}
    while cursor is not None:
        page = collab.recent(limit=2, **cursor)
        found += [job["id"] for job in page["items"]]
        cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None

    assert len(found) == 7
    assert set(found) == made


def test_failed_jobs_of_v1_are_found_as_dead_letters(collab):
    task = make_task()
    fail_at_once(Task.objects.filter(pk=task.pk))

    assert ids(collab.recent(status="dead_lettered")) == {str(task.pk)}
