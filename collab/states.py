"""The words of seed 003 for the life of a task, its events and its dead letters."""

from collections.abc import Mapping

from django.db import models
from django.db.models import F, Q

from tasks.states import DeadLetter, Status


class JobStatus(models.TextChoices):
    """The status of a Collab job; it follows from its task.

    Each task that failed for good is a dead letter, so no job is `failed`: the word is kept for
    clients that count and filter by it.
    """

    QUEUED = "queued"
    ASSIGNED = "assigned"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD_LETTERED = "dead_lettered"


class ReasonCode(models.TextChoices):
    """Why a job became a dead letter."""

    PARSE_ERROR = "parse_error"
    VALIDATION_FAILED = "validation_failed"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    TIMEOUT = "timeout"
    EXHAUSTED_RETRIES = "exhausted_retries"
    POLICY_VIOLATION = "policy_violation"
    INFRASTRUCTURE_FAILURE = "infrastructure_failure"
    COMPENSATION_FAILED = "compensation_failed"


class Stage(models.TextChoices):
    """How far a job had come when it failed for good."""

    INPUT = "input"
    FETCH = "fetch"
    EXEC = "exec"
    OUTPUT = "output"
    COMMIT = "commit"


REASONS: Mapping[DeadLetter, ReasonCode] = {
    DeadLetter.EXHAUSTED: ReasonCode.EXHAUSTED_RETRIES,
    DeadLetter.NOT_RETRIABLE: ReasonCode.VALIDATION_FAILED,
    DeadLetter.LEASE_EXPIRED: ReasonCode.TIMEOUT,
    DeadLetter.AGENTS_LOST: ReasonCode.INFRASTRUCTURE_FAILURE,
    DeadLetter.UNSUPPORTED: ReasonCode.DEPENDENCY_UNAVAILABLE,
    DeadLetter.TIMEOUT: ReasonCode.TIMEOUT,
    DeadLetter.UNSERVED: ReasonCode.DEPENDENCY_UNAVAILABLE,
}
"""The reason of a dead letter of the engine, where the worker has named none."""

HELD = Q(status=Status.IN_PROGRESS)
BEGUN = Q(named_epoch__gte=F("lease_epoch"))
"""Its worker has said in this lease that it runs it."""

MATCHING: Mapping[JobStatus, Q] = {
    JobStatus.QUEUED: Q(status=Status.QUEUED),
    JobStatus.ASSIGNED: HELD & ~BEGUN,
    JobStatus.RUNNING: (HELD & BEGUN) | Q(status=Status.LOCKED),
    JobStatus.SUCCEEDED: Q(status=Status.DONE),
    JobStatus.FAILED: Q(pk__in=[]),
    JobStatus.CANCELLED: Q(status=Status.CANCELLED),
    JobStatus.DEAD_LETTERED: Q(status=Status.FAILED),
}
"""The tasks whose job has such a status; `status_of` says the same of one."""

SIMPLE: Mapping[str, JobStatus] = {
    Status.QUEUED: JobStatus.QUEUED,
    Status.LOCKED: JobStatus.RUNNING,
    Status.DONE: JobStatus.SUCCEEDED,
    Status.CANCELLED: JobStatus.CANCELLED,
    Status.FAILED: JobStatus.DEAD_LETTERED,
}


def status_of(status: str, *, named_epoch: int, lease_epoch: int) -> JobStatus:
    if status != Status.IN_PROGRESS:
        return SIMPLE[status]
    return JobStatus.RUNNING if named_epoch >= lease_epoch else JobStatus.ASSIGNED


EVENT_NAMES: Mapping[str, str] = {
    "task.created": "queued",
    "task.claimed": "assigned",
    "task.started": "started",
    "task.lease_renewed": "lease_renewed",
    "task.progress": "progress",
    "task.completed": "succeeded",
    "task.failed": "failed_dlq",
    "task.cancelled": "cancelled",
}
"""Seed 003's names of events; the others have the engine's, without the noun."""

RETRIED: Mapping[str, str] = {
    "expired": "lease_expired",
    "lost": "lease_expired",
    "released": "released",
    "refused": "released",
}
"""The name of a return to the queue, by how the lease ended; a failed attempt is to be retried."""


def event_name(type_: str, payload: Mapping[str, object]) -> str:
    """What seed 003 calls an event of the journal about a task."""
    if type_ == "task.retried":
        return RETRIED.get(str(payload.get("outcome", "")), "retry_scheduled")
    return EVENT_NAMES.get(type_) or type_.removeprefix("task.")
