"""What is shown around a job: its artifacts and events, counts, workers, health and traces."""

from datetime import timedelta

import pytest

from accounts.models import User
from collab import counts
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.collab.calls import UNKNOWN, Collab, data, refusal
from tests.console.people import make_person
from tests.factories import make_agent, make_channel, make_job, make_tasks, silence

pytestmark = pytest.mark.django_db


def test_the_health_is_for_everybody(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "a-token-that-is-long-enough"

    body = data(client.get("/api/collab/health"))

    assert body["ok"] is True
    assert refusal(client.get("/api/collab/jobs/recent")) == (401, "unauthenticated")


def test_artifacts_are_references_of_the_result(collab):
    job = collab.held()
    first = {"name": "log.txt", "url": "https://example.org/log.txt", "size": 12}
    second = {"name": "app.tar", "mime": "application/x-tar", "sha256": "AB" * 32}

    data(collab.result(job, artifact=first, artifacts=[second], result=5))

    body = data(collab.get(f"/artifacts/by-job/{job['id']}"))
    assert body["count"] == 2
    found = [
        {k: v for k, v in one.items() if k not in {"id", "created_at"}} for one in body["items"]
    ]
    none = {"job_id": job["id"], "mime": None, "size": None, "sha256": None, "url": None}
    assert found == [{**none, **first}, {**none, **second, "sha256": "ab" * 32}]
    assert collab.job(job["id"])["result"]["result"] == 5
    again = data(collab.get(f"/artifacts/by-job/{job['id']}"))
    assert [one["id"] for one in again["items"]] == [one["id"] for one in body["items"]]


def test_the_summary_has_the_job_its_artifacts_and_its_events(collab):
    job = collab.held()
    data(collab.result(job, artifact={"name": "log.txt"}))

    body = data(collab.get(f"/job/{job['id']}/summary"))

    assert body["job"] == collab.job(job["id"])
    assert body["artifacts"] == data(collab.get(f"/artifacts/by-job/{job['id']}"))["items"]
    assert body["events"] == data(collab.get(f"/events/by-job/{job['id']}"))["items"]
    assert [event["seq"] for event in body["events"]] == [1, 2, 3, 4]


def test_the_overview_counts_each_status_and_shows_the_latest(collab):
    assert set(data(collab.get("/metrics/overview"))["counts"].values()) == {0}
    job = collab.held()
    data(collab.by_worker("start", job))
    ids = [collab.assign() for _ in range(12)]
    collab.claim()
    ended = collab.claim()
    data(collab.result(ended, ok=False, retryable=False))

    body = data(collab.get("/metrics/overview"))

    assert body["ok"] is True
    assert body["counts"] == {
        "queued": 10,
        "assigned": 1,
        "running": 1,
        "succeeded": 0,
        "failed": 0,
        "cancelled": 0,
        "dead_lettered": 1,
    }
    assert [one["id"] for one in body["latest"]] == ids[:1:-1]
    assert "estimated" not in body


def test_the_overview_counts_no_sweeps_and_no_commands(collab, client):
    make_job(tasks=3)
    command = {"name": "x", "source_type": "none", "job_command": "true"}
    assert client.post("/api/v1/jobs", command, "application/json").status_code == 201
    collab.assign()

    counted = data(collab.get("/metrics/overview"))["counts"]

    assert {name: count for name, count in counted.items() if count} == {"queued": 1}


def test_the_overview_of_a_user_says_what_is_an_estimate(monkeypatch):
    monkeypatch.setattr(counts, "MOST_COUNTED", 5)
    person = make_person("User")
    user = Collab(client_of(issue("of the user", user=person, role="user").secret))
    user.assign()
    make_tasks(2, channel=make_channel())
    others = make_tasks(1, channel=make_channel())
    Task.objects.filter(pk__in=[task.pk for task in others]).update(
        user=User.objects.create_user("other")
    )

    few = data(user.get("/metrics/overview"))
    make_tasks(7, channel=make_channel())
    many = data(user.get("/metrics/overview"))

    assert (few["counts"]["queued"], "estimated" in few) == (3, False)
    assert many["estimated"] == ["queued"]
    assert many["counts"]["queued"] >= 4


def beat(collab, agent="worker-1", **more):
    body = {"agentId": agent, "executorId": "builds", "status": "idle", **more}
    return data(collab.post("/workers/heartbeat", **body))


def test_a_worker_that_says_that_it_lives_is_active(collab):
    answer = beat(collab, status="busy", running=2, capacity=4, version="1.2")

    assert answer == {"ok": True, "cancelRequested": [], "drain": False}
    [worker] = data(collab.get("/workers/active"))["items"]
    assert worker.pop("last_seen_at")
    assert worker == {
        "agent_id": "worker-1",
        "executor_id": "builds",
        "status": "busy",
        "version": "1.2",
        "running": 2,
        "capacity": 4,
    }


def test_who_was_silent_for_20_seconds_is_not_active_and_a_claim_counts(collab):
    silence(make_agent("agent-1"), timedelta(seconds=21))
    silence(make_agent("agent-2"), timedelta(seconds=18))
    collab.claim("worker-3")

    body = data(collab.get("/workers/active"))

    assert [one["agent_id"] for one in body["items"]] == ["worker-3", "agent-2"]
    assert body["count"] == 2
    assert body["items"][1]["status"] == "idle"


def test_a_trace_is_kept_with_its_job_and_echoed(collab):
    body = {"type": "build", "executorId": "builds"}
    answer = collab.post("/task.assign", **body, traceId="trace-7")

    assert data(answer)["trace_id"] == "trace-7"
    assert answer["X-Trace-Id"] == "trace-7"
    job = collab.job(data(answer)["jobId"])
    assert (job["trace_id"], job["correlation_id"]) == ("trace-7", "trace-7")


def test_a_trace_of_the_header_or_the_query_is_echoed_too(client):
    by_header = Collab(client, **{"X-Trace-Id": "trace-8"})
    job_id = by_header.assign()

    assert by_header.job(job_id)["trace_id"] == "trace-8"
    assert by_header.recent()["trace_id"] == "trace-8"
    assert Collab(client).recent(trace_id="trace-9")["trace_id"] == "trace-9"
    assert Collab(client).job(job_id)["trace_id"] == "trace-8"


def test_a_traceparent_is_the_trace_of_a_new_job_and_is_not_echoed(client):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = Collab(client, traceparent=parent).post(
        "/task.assign", type="build", executorId="builds"
    )

    assert "trace_id" not in data(answer)
    assert Collab(client).job(data(answer)["jobId"])["trace_id"] == parent


def test_an_answer_of_an_error_names_its_trace_in_the_header(collab):
    answer = collab.send("get", "/jobs/recent?limit=0", **{"X-Trace-Id": "trace-5"})

    assert refusal(answer) == (400, "validation_error")
    assert answer["X-Trace-Id"] == "trace-5"


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are(collab):
    answer = collab.get("/task.claim")

    assert answer.status_code == 405
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "POST"


def test_what_is_not_there_is_not_found(collab):
    assert refusal(collab.get("/nothing")) == (404, "not_found")


@pytest.mark.parametrize("path", ["job/{}/summary", "artifacts/by-job/{}", "events/by-job/{}"])
def test_there_is_nothing_around_a_job_that_nobody_knows(collab, path):
    assert refusal(collab.get(f"/{path.format(UNKNOWN)}")) == (404, "not_found")
