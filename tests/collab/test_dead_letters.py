"""Dead letters: written by every way to fail for good, and replayed as new jobs."""

import pytest

from accounts.callers import LOCAL
from collab import dead_letters
from collab.exceptions import AlreadyRetried, DeadLetterUnknown, IdempotencyConflict
from collab.models import DeadLetter, Key
from tasks import leases, reports, transitions
from tasks.models import Task
from tasks.rows import Outcome
from tests.collab.calls import data, refusal
from tests.factories import (
    fail_at_once,
    let_lease_run_out,
    make_channel,
    make_held_task,
    make_job,
    make_tasks,
)

pytestmark = pytest.mark.django_db


def failed(collab, **more):
    """A dead letter of a job that its worker has failed for good."""
    job = collab.held(payload={"n": 1}, priority=3, **more)
    data(collab.result(job, ok=False, retryable=False, workerId="worker-1"))
    return DeadLetter.objects.get(task=job["id"])


def test_a_report_of_v1_makes_a_dead_letter_too():
    task = make_held_task()

    reports.report_one(Outcome(task.pk, False, reason="no"), agent_id=task.agent_id, by="")

    letter = DeadLetter.objects.get(task=task)
    assert (letter.reason_code, letter.last_owner) == ("validation_failed", task.agent_id)


def test_a_lease_that_runs_out_for_the_last_time_is_a_timeout(collab):
    job = collab.held(maxAttempts=1)
    data(collab.by_worker("start", job))
    let_lease_run_out(Task.objects.get(pk=job["id"]))

    leases.expire_leases()

    assert DeadLetter.objects.get(task=job["id"]).reason_code == "timeout"
    assert collab.job(job["id"])["status"] == "dead_lettered"


def test_many_that_fail_at_once_are_all_written_and_those_of_sweeps_are_not():
    channel = make_channel()
    tasks = make_tasks(3, channel=channel)
    make_job(tasks=2)

    fail_at_once(Task.objects.all())

    assert set(DeadLetter.objects.values_list("task", flat=True)) == {task.pk for task in tasks}


def test_a_job_that_fails_again_after_a_requeue_has_one_letter_of_the_last_time(collab):
    letter = failed(collab)
    transitions.requeue(letter.task_id, by="tests")
    assert collab.job(letter.task_id)["error"] is None
    job = collab.claim("worker-2")
    data(collab.result(job, ok=False, retryable=False, workerId="worker-2", stage="commit"))

    [again] = DeadLetter.objects.filter(task=letter.task_id)

    assert (again.pk, again.last_owner, again.stage) == (letter.pk, "worker-2", "commit")


def test_a_replay_makes_a_new_job_and_leaves_the_old_one(collab):
    letter = failed(collab)

    job_id = dead_letters.replay(letter.pk, by=LOCAL)

    new, old = collab.job(job_id), collab.job(letter.task_id)
    same = ("type", "executor_id", "payload", "priority", "max_attempts")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert (new["status"], new["attempts"]) == ("queued", 0)
    assert new["idempotency_key"] == f"dlq:{letter.task_id}"
    assert old["status"] == "dead_lettered"
    letter.refresh_from_db()
    assert (letter.retries, letter.retried_job_id) == (1, job_id)
    assert letter.retried_at is not None


def test_a_letter_is_replayed_once(collab):
    letter = failed(collab)
    job_id = dead_letters.replay(letter.pk, by=LOCAL)

    with pytest.raises(AlreadyRetried) as refused:
        dead_letters.replay(letter.pk, by=LOCAL)

    assert refused.value.details == {"jobId": str(job_id)}
    assert Task.objects.count() == 2


def test_a_letter_whose_job_was_requeued_is_none_any_more(collab):
    letter = failed(collab)
    transitions.requeue(letter.task_id, by="tests")

    with pytest.raises(DeadLetterUnknown):
        dead_letters.replay(letter.pk, by=LOCAL)

    assert list(dead_letters.newest(LOCAL)) == []


def test_a_key_that_another_job_has_is_a_conflict(collab):
    letter = failed(collab)
    Key.objects.create(key=f"dlq:{letter.task_id}", task_id=collab.assign())

    with pytest.raises(IdempotencyConflict):
        dead_letters.replay(letter.pk, by=LOCAL)

    letter.refresh_from_db()
    assert letter.retried_at is None


def test_letters_and_keys_go_with_their_job(collab):
    letter = failed(collab, idempotencyKey="k1")
    dead_letters.replay(letter.pk, by=LOCAL)

    Task.objects.filter(pk=letter.task_id).delete()

    assert not DeadLetter.objects.exists()
    assert refusal(collab.get(f"/job/{letter.task_id}")) == (404, "not_found")


def test_the_same_report_again_does_not_change_why_a_letter_is_one(collab):
    job = collab.held()
    said = {"ok": False, "retryable": False, "workerId": "worker-1", "leaseToken": 1}
    data(collab.result(job, **said, reason="parse_error", stage="input"))

    data(collab.result(job, **said, reason="policy_violation", stage="commit"))

    letter = DeadLetter.objects.get(task=job["id"])
    assert (letter.reason_code, letter.stage) == ("parse_error", "input")
