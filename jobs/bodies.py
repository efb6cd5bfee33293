"""Jobs and results as /api/v1 shows them (seed 004; contract 1.4, 1.5)."""

from collections.abc import Iterable

from api.body import JsonDict
from api.views import filled
from jobs import coordinates
from jobs.models import Job
from jobs.progress import Unserved
from jobs.querysets import PROGRAM
from tasks.models import Attempt, Task
from tasks.states import Status

# Seed 004's words for the life of a task.
STATUS = {
    Status.QUEUED: "NEW",
    Status.IN_PROGRESS: "RUNNING",
    Status.DONE: "DONE",
    Status.FAILED: "FAILED",
    Status.LOCKED: "LOCKED",
    Status.CANCELLED: "CANCELLED",
}


def job(row: Job, program: JsonDict, *, running: int) -> dict[str, object]:
    """A job with its exact counts, its program, and how many of its tasks are in progress."""
    ended = row.counted_completed + row.counted_failed + row.counted_cancelled
    waiting = max(row.counted_total - ended - running, 0)
    return {
        "id": row.public_id,
        "jobId": row.public_id,
        "status": row.counted_status,
        "totalTasks": row.counted_total,
        "completedTasks": row.counted_completed,
        "failedTasks": row.counted_failed,
        "cancelledTasks": row.counted_cancelled,
        "runningTasks": running,
        "pendingTasks": waiting,
        "progress": round(ended / row.counted_total, 4) if row.counted_total else 0.0,
        "priority": row.priority,
        "createdAt": row.created_at,
        **filled(
            name=row.name,
            startedAt=row.counted_started_at,
            finishedAt=row.counted_finished_at,
            cancelAskedAt=row.cancel_asked_at,
        ),
        **{name: value for name in PROGRAM if (value := program.get(name))},
    }


def details(
    row: Job, *, running: int, seconds_left: float | None, unserved: Iterable[Unserved]
) -> dict[str, object]:
    """A job with its specification, an estimate of its end, and its unserved tasks."""
    return {
        **job(row, row.specification, running=running),
        **{name: value for name, value in row.specification.items() if value is not None},
        "estimatedSecondsLeft": seconds_left,
        "unserved": [{"wants": one.wants, "tasks": one.tasks} for one in unserved],
    }


def result(row: Task) -> dict[str, object]:
    """A task's result as its SPOT sent it, with the task's coordinates; nulls are left out."""
    document = row.result if isinstance(row.result, dict) else {}
    body: dict[str, object] = {
        "taskId": row.pk,
        "status": STATUS[Status(row.status)],
        **coordinates.of(row.payload),
        "fopt": document.get("fopt"),
        "runtimeMs": document.get("runtimeMs"),
        "iter": document.get("iter"),
        "assignedTo": row.last_holder or None,
        "startedAt": row.claimed_at,
        "finishedAt": row.finished_at,
        "params": params_of(row),
        "result": row.result,
    }
    if row.status == Status.FAILED:
        body["errorMessage"] = row.fail_reason
        body["attempts"] = row.attempts
        body["deadLetter"] = row.dead_letter
        body["attemptHistory"] = [attempt(bad) for bad in row.bad_attempts.all()]
    return {name: value for name, value in body.items() if value is not None}


def params_of(row: Task) -> JsonDict | None:
    params = row.payload.get("params") if isinstance(row.payload, dict) else None
    return params if isinstance(params, dict) else None


def attempt(row: Attempt) -> dict[str, object]:
    return {
        "leaseEpoch": row.epoch,
        "spotId": row.agent_id,
        "outcome": row.outcome,
        "finishedAt": row.ended_at,
        **filled(error=row.reason, startedAt=row.started_at),
    }
