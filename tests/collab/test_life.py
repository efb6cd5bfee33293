"""The life of a job: assigned, claimed, started, renewed, and ended or given back."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from chains import transitions as chains
from collab.models import DeadLetter
from tasks import leases
from tasks.models import Task
from tests.collab.calls import UNKNOWN, data, refusal
from tests.factories import fresh, let_lease_run_out, make_chain, make_channel, steps_of

pytestmark = pytest.mark.django_db


def stored(job):
    return Task.objects.get(pk=job["id"])


def test_a_job_is_queued_for_an_executor_that_is_new(collab):
    body = {"type": "build", "executorId": "builds", "payload": {"commit": "4f1c2d"}}

    answer = data(collab.post("/task.assign", **body, priority=4, maxAttempts=2))

    assert answer["queued"] is True
    job = collab.job(answer["jobId"])
    assert (job["status"], job["executor_id"], job["payload"]) == (
        "queued",
        "builds",
        {"commit": "4f1c2d"},
    )
    assert (job["priority"], job["max_attempts"]) == (4, 2)
    assert collab.events(job["id"]) == ["queued"]


def test_a_job_is_not_to_be_had_before_its_time(collab):
    job_id = collab.assign(runAt="2100-01-31T12:00:00Z")

    assert collab.job(job_id)["next_run_at"] == "2100-01-31T12:00:00Z"
    assert collab.claim() is None


def test_a_claim_leases_the_first_job_of_its_executor(collab):
    collab.assign("others")
    later = collab.assign()
    urgent = collab.assign(priority=9)

    job = collab.claim(leaseSeconds=15)

    assert (job["id"], job["status"], job["worker_id"]) == (urgent, "assigned", "worker-1")
    assert (job["lease_owner"], job["lease_token"], job["attempts"]) == ("worker-1", 1, 1)
    left = stored(job).lease_expires_at - stored(job).claimed_at
    assert left == timedelta(seconds=15)
    assert collab.claim("worker-2")["id"] == later
    assert collab.claim("worker-3") is None
    assert collab.events(urgent) == ["queued", "assigned"]


def test_a_lease_is_of_a_minute_where_nothing_is_said(collab):
    job = collab.held()

    assert stored(job).lease_seconds == 60


def test_a_claim_by_type_leaves_the_others(collab):
    collab.assign(type_="mail.send")
    build = collab.assign(type_="build.linux")

    assert collab.claim(typePrefix="build.")["id"] == build
    assert collab.claim(typePrefix="build.") is None


def test_the_same_request_for_a_job_gets_the_same(collab):
    collab.assign()
    collab.assign()

    first = collab.claim(requestId="r1")

    assert collab.claim(requestId="r1")["id"] == first["id"]
    assert collab.claim(requestId="r2")["id"] != first["id"]


def test_a_claim_from_an_executor_that_nobody_knows_gets_null(collab):
    assert collab.claim(executor="none") is None


def test_a_result_straight_after_the_claim_writes_that_it_was_started(collab):
    job = collab.held()

    assert data(collab.result(job, workerId="worker-1", leaseToken=1)) == {"ok": True}

    ended = collab.job(job["id"])
    assert (ended["status"], ended["worker_id"], ended["lease_owner"]) == (
        "succeeded",
        "worker-1",
        None,
    )
    assert ended["attempts"] == 1
    assert ended["finished_at"]
    assert collab.events(job["id"]) == ["queued", "assigned", "started", "succeeded"]


def test_a_result_may_come_without_a_worker_while_the_job_is_leased(collab):
    job = collab.held()

    assert data(collab.result(job)) == {"ok": True}
    assert collab.job(job["id"])["status"] == "succeeded"


def test_a_job_runs_once_its_worker_says_so_and_the_journal_says_it_once(collab):
    job = collab.held()

    first = data(collab.by_worker("start", job, leaseToken=1))["job"]
    again = data(collab.by_worker("start", job))["job"]
    data(collab.result(job, workerId="worker-1"))

    assert (first["status"], again["status"]) == ("running", "running")
    assert first["started_at"]
    assert collab.events(job["id"]) == ["queued", "assigned", "started", "succeeded"]


def test_a_renewal_starts_the_lease_anew_and_says_what_is_asked(collab):
    job = collab.held()
    before = stored(job).lease_expires_at

    answer = data(collab.by_worker("renew", job, leaseToken=1, leaseSeconds=600))

    assert answer["cancelRequested"] is False
    assert stored(job).lease_expires_at > before + timedelta(minutes=8)
    assert collab.events(job["id"]) == ["queued", "assigned", "started", "lease_renewed"]
    collab.post("/task.cancel", jobId=job["id"], mode="soft")
    assert data(collab.by_worker("renew", job))["cancelRequested"] is True


def test_progress_is_in_the_journal(collab):
    job = collab.held()

    data(collab.by_worker("progress", job, pct=42.5, detail={"step": "link"}))

    assert collab.events(job["id"])[-2:] == ["started", "progress"]
    last = data(collab.get(f"/events/by-job/{job['id']}"))["items"][-1]
    assert (last["payload"]["pct"], last["payload"]["detail"]) == (42.5, {"step": "link"})
    assert [last["seq"], last["job_id"]] == [4, job["id"]]


def test_a_job_given_back_costs_it_nothing(collab):
    job = collab.held()

    assert data(collab.by_worker("release", job, reason="stopping"))["status"] == "queued"
    assert data(collab.by_worker("release", job, leaseToken=1))["status"] == "queued"

    assert collab.job(job["id"])["attempts"] == 0
    assert collab.events(job["id"]) == ["queued", "assigned", "released"]
    assert collab.claim("worker-2")["lease_token"] == 2


def test_a_failed_attempt_is_made_again_after_a_pause_that_doubles(collab):
    job = collab.held(maxAttempts=5)
    pauses = []
    for attempt in range(1, 5):
        data(collab.result(job, ok=False, error="no network", workerId="worker-1"))
        row = stored(job)
        pauses.append((row.available_at - row.updated_at).total_seconds())
        shown = collab.job(job["id"])
        assert (shown["status"], shown["attempts"]) == ("queued", attempt)
        assert shown["error"] == {"message": "no network"}
        assert shown["next_run_at"]
        assert collab.claim() is None
        Task.objects.filter(pk=job["id"]).update(available_at=Now() - timedelta(seconds=1))
        leases.wake_postponed()
        assert collab.claim()["id"] == job["id"]

    for pause, planned in zip(pauses, (5, 10, 20, 40), strict=True):
        assert planned / 2 <= pause <= planned * 1.5
    assert collab.events(job["id"])[:5] == [
        "queued",
        "assigned",
        "started",
        "retry_scheduled",
        "assigned",
    ]


def test_the_last_attempt_that_fails_makes_a_dead_letter(collab):
    job = collab.held(maxAttempts=1)

    data(collab.result(job, ok=False, error="no network", workerId="worker-1"))

    ended = collab.job(job["id"])
    assert (ended["status"], ended["attempts"]) == ("dead_lettered", 1)
    assert ended["error"] == {
        "message": "no network",
        "reason": "exhausted_retries",
        "stage": "exec",
    }
    assert collab.events(job["id"])[-2:] == ["started", "failed_dlq"]


def test_what_cannot_be_tried_again_is_a_dead_letter_by_its_reason_and_stage(collab):
    job = collab.held()
    named = {"reason": "parse_error", "stage": "input", "retryable": False}

    data(collab.result(job, ok=False, error="no JSON", workerId="worker-1", **named))

    letter = DeadLetter.objects.get(task=job["id"])
    assert (letter.reason_code, letter.stage) == ("parse_error", "input")
    assert (letter.attempts, letter.last_owner, letter.retries) == (1, "worker-1", 0)
    assert letter.last_lease_expires_at is not None
    assert collab.job(job["id"])["error"]["reason"] == "parse_error"


def test_an_expired_lease_puts_the_job_back_and_its_late_result_is_refused(collab):
    job = collab.held()
    data(collab.by_worker("start", job))
    let_lease_run_out(stored(job))

    leases.expire_leases()

    assert collab.job(job["id"])["status"] == "queued"
    for more in ({}, {"leaseToken": 1}, {"ok": False}):
        late = collab.result(job, **{"workerId": "worker-1", **more})
        assert refusal(late) == (409, "lease_conflict")
    assert refusal(collab.result(job)) == (409, "lease_conflict")
    for verb in ("start", "renew", "progress", "release"):
        assert refusal(collab.by_worker(verb, job)) == (409, "lease_conflict"), verb
    assert collab.events(job["id"]) == ["queued", "assigned", "started", "lease_expired"]


def test_a_result_without_a_worker_is_refused_once_the_lease_has_run_out(collab):
    job = collab.held()
    let_lease_run_out(stored(job))

    assert refusal(collab.result(job)) == (409, "lease_conflict")
    assert collab.job(job["id"])["status"] == "assigned"


def test_a_result_by_another_worker_or_an_older_lease_is_refused(collab):
    job = collab.held()

    assert refusal(collab.result(job, workerId="worker-2")) == (409, "lease_conflict")
    data(collab.by_worker("release", job))
    assert collab.claim("worker-1")["lease_token"] == 2
    old = collab.result(job, workerId="worker-1", leaseToken=1)
    assert refusal(old) == (409, "lease_conflict")
    assert collab.job(job["id"])["status"] == "assigned"


def test_the_same_result_again_changes_nothing_and_another_is_refused(collab):
    job = collab.held()
    mine = {"workerId": "worker-1", "leaseToken": 1}
    data(collab.result(job, result={"size": 5}, **mine))

    assert data(collab.result(job, result={"size": 5}, **mine)) == {"ok": True}
    other = collab.result(job, result={"size": 6}, **mine)
    assert refusal(other) == (409, "invalid_transition")
    assert refusal(collab.result(job, ok=False, **mine)) == (409, "invalid_transition")
    assert collab.job(job["id"])["result"] == {"result": {"size": 5}}


def test_a_failure_may_be_repeated_too(collab):
    job = collab.held()
    mine = {"workerId": "worker-1", "leaseToken": 1}
    data(collab.result(job, ok=False, **mine))

    data(collab.result(job, ok=False, **mine))

    assert collab.job(job["id"])["attempts"] == 1
    assert refusal(collab.result(job, ok=True, **mine)) == (409, "lease_conflict")


def test_a_waiting_job_is_cancelled_at_once(collab):
    job_id = collab.assign()

    answer = data(collab.post("/task.cancel", jobId=job_id, reason="no more"))

    assert answer == {"ok": True, "status": "cancelled"}
    assert collab.events(job_id) == ["queued", "cancelled"]
    assert data(collab.post("/task.cancel", jobId=job_id))["status"] == "cancelled"


def test_a_soft_cancel_asks_the_worker_and_a_hard_one_takes_the_job_away(collab):
    job = collab.held()

    soft = data(collab.post("/task.cancel", jobId=job["id"], mode="soft"))
    assert soft["status"] == "assigned"
    assert collab.job(job["id"])["cancel_requested"] is True
    beat = {"agentId": "worker-1", "executorId": "builds", "status": "busy"}
    assert data(collab.post("/workers/heartbeat", **beat))["cancelRequested"] == [job["id"]]

    hard = data(collab.post("/task.cancel", jobId=job["id"], mode="hard"))
    assert hard["status"] == "cancelled"
    late = collab.result(job, workerId="worker-1")
    assert refusal(late) == (409, "invalid_transition")


def test_a_worker_that_was_asked_to_stop_ends_its_job_by_failing(collab):
    job = collab.held()
    collab.post("/task.cancel", jobId=job["id"])

    data(collab.result(job, ok=False, error="stopped", workerId="worker-1"))

    assert collab.job(job["id"])["status"] == "cancelled"


def test_a_job_that_has_ended_is_not_cancelled(collab):
    job = collab.held()
    data(collab.result(job))

    answer = collab.post("/task.cancel", jobId=job["id"])

    assert refusal(answer) == (409, "invalid_transition")


@pytest.mark.parametrize("verb", ["start", "renew", "progress", "release", "result", "cancel"])
def test_there_is_no_such_job(collab, verb):
    job = {"id": UNKNOWN}
    more = {"type": "build", "ok": True} if verb == "result" else {}

    assert refusal(collab.by_worker(verb, job, **more)) == (404, "not_found")


def test_agents_of_v1_and_workers_do_each_others_tasks(client, collab):
    job_id = collab.assign()
    claim = {"agent_id": "agent-1", "channel": "builds"}
    task = client.post("/v1/tasks/claim", claim, "application/json").json()["task"]
    assert task["id"] == job_id

    report = {"agent_id": "agent-1", "task_id": job_id, "result": "fine"}
    assert client.post("/v1/tasks/complete", report, "application/json").status_code == 200

    assert collab.job(job_id)["status"] == "succeeded"
    assert fresh(stored({"id": job_id})).agent_id == "agent-1"


def test_the_tasks_of_a_chain_are_jobs_one_after_the_other(collab):
    chain = make_chain(make_channel("builds"), tasks=2)
    first, second = steps_of(chain)

    job = collab.claim()
    assert (job["id"], collab.claim("worker-2")) == (str(first.pk), None)
    data(collab.by_worker("renew", job))
    data(collab.result(job, workerId="worker-1", type="step"))

    assert collab.claim("worker-2") is None
    assert collab.claim()["id"] == str(second.pk)


def test_a_job_of_a_chain_whose_worker_went_away_waits_for_a_person(collab):
    chain = make_chain(make_channel("builds"), tasks=1)
    job = collab.claim()
    chains.detach(chain.pk, owner_id="worker-1", by="tests")

    assert collab.job(job["id"])["status"] == "running"
    late = collab.result(job, workerId="worker-1", type="step")
    assert refusal(late) == (409, "lease_conflict")


def test_a_command_that_waits_in_the_same_channel_is_no_job(collab, client):
    command = {"name": "x", "source_type": "none", "job_command": "true", "queue_name": "builds"}
    assert client.post("/api/v1/jobs", command, "application/json").status_code == 201

    assert collab.claim() is None

    task = Task.objects.get()
    assert (task.status, task.attempts) == ("queued", 0)
    assert refusal(collab.get(f"/job/{task.pk}")) == (404, "not_found")
