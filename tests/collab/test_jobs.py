"""A job as it is shown, and the list of jobs."""

import pytest

from tests.collab.calls import UNKNOWN, data, refusal
from tests.factories import make_channel, make_held_task, make_job, make_task, tasks_of

pytestmark = pytest.mark.django_db


def test_a_job_is_shown_with_every_field(collab):
    task = make_task(make_channel("builds"), type="build", payload={"commit": "4f1c2d"})

    job = collab.job(task.pk)

    assert job | {"created_at": "", "updated_at": "", "payload_hash": ""} == {
        "id": str(task.pk),
        "type": "build",
        "status": "queued",
        "executor_id": "builds",
        "worker_id": None,
        "payload": {"commit": "4f1c2d"},
        "result": None,
        "error": None,
        "idempotency_key": None,
        "attempts": 0,
        "max_attempts": 3,
        "next_run_at": None,
        "lease_owner": None,
        "lease_until": None,
        "created_at": "",
        "updated_at": "",
        "lease_token": 0,
        "started_at": None,
        "finished_at": None,
        "payload_hash": "",
        "trace_id": None,
        "correlation_id": str(task.pk),
        "tenant_id": None,
        "priority": 0,
        "cancel_requested": False,
    }
    assert len(job["payload_hash"]) == 64
    assert job["created_at"].endswith("Z")


def test_an_agent_of_v1_that_holds_a_task_is_the_worker_of_its_job(collab):
    task = make_held_task()

    job = collab.job(task.pk)

    assert (job["status"], job["worker_id"]) == ("assigned", task.agent_id)
    assert (job["lease_owner"], job["lease_token"], job["attempts"]) == (task.agent_id, 1, 1)


def test_a_task_of_a_sweep_and_an_unknown_id_are_no_jobs(collab):
    [of_sweep] = tasks_of(make_job(tasks=1))

    for job_id in (of_sweep.pk, UNKNOWN, "nonsense"):
        assert refusal(collab.get(f"/job/{job_id}")) == (404, "not_found")
    assert collab.recent()["items"] == []


def test_recent_jobs_come_newest_first_and_page_by_page(collab):
    channel = make_channel("builds")
    ids = [str(make_task(channel).pk) for _ in range(5)]

    pages, cursor = [], None
    while True:
        page = collab.recent(limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append([job["id"] for job in page["items"]])
        assert page["count"] == len(page["items"])
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert pages == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    assert data(collab.get("/jobs/recent"))["count"] == 5


@pytest.mark.parametrize("number", [10**30, -(2**63) - 1, 10**300])
def test_a_payload_with_a_number_beyond_64_bits_is_shown_wherever_jobs_are(collab, number):
    task = make_task(make_channel("builds"), type="build", payload={"n": number})

    [listed] = collab.recent()["items"]
    [latest] = data(collab.get("/metrics/overview"))["latest"]
    shown = [collab.job(task.pk), listed, latest, collab.claim()]

    assert [job["payload"] for job in shown] == [{"n": number}] * 4
    assert len({job["payload_hash"] for job in shown}) == 1
