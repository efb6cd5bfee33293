"""Envelope v1: the form of what is broadcast (contract 003, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from collab.broadcasts import DEAD_LETTERED, STATUS
from events.models import Event

if TYPE_CHECKING:
    from collab.happenings import Happening
    from collab.models import CollabJob

VERSION = 1
NAMESPACE = UUID("6f8a0c52-3c1e-4d55-9a86-1f0d1c3f5a77")
"""Of the ids of what is broadcast; it never changes, or consumers would take all for new."""

ROLES: Mapping[str, str] = {"agent": "worker", "agent-token": "worker", "user": "user"}
"""Whose name an actor of the journal is, by what stands before the colon."""
OPERATORS = frozenset({"token", "local", "agent-key"})

STATUSES: Mapping[str, str] = {
    "came_online": "online",
    "went_offline": "offline",
    "was_lost": "offline",
    "removed": "offline",
}
"""The status of a worker that an event of it tells; others say nothing of it."""

OF_THE_ENGINE = frozenset({"from", "to", "type", "outcome", "dead_letter", "lease_epoch"})
"""What an event's payload says in the engine's words."""


def of(type_: str, happening: Happening) -> dict[str, object]:
    """What is broadcast as this type of an event; the same at every delivery."""
    event, job = happening.event, happening.job
    if event.task_id and event.type.startswith("task."):
        payload = _of_job(type_, happening)
    elif type_ == STATUS:
        payload = _of_agent(event)
    else:
        payload = {"channelId": event.channel_id, **event.payload, "reason": event.reason or None}
    return wrapped(
        type_,
        id_of(event, type_),
        event.created_at,
        payload,
        correlation_id=happening.correlation_id,
        trace_id=job.trace_id if job else None,
        cause=event.request_id or None,
        tenant=job.user_id if job else None,
        actor=actor_of(event.actor),
    )


def wrapped(
    type_: str,
    id_: UUID,
    at: datetime,
    payload: Mapping[str, object],
    *,
    correlation_id: str,
    **more: object,
) -> dict[str, object]:
    absent = dict.fromkeys(("trace_id", "cause", "tenant", "actor"))
    return {
        "id": id_,
        "version": VERSION,
        "type": type_,
        "timestamp": at,
        "correlation_id": correlation_id,
        **absent,
        **more,
        "schema": {"namespace": "collab", "name": type_},
        "payload": payload,
    }


def id_of(event: Event, type_: str) -> UUID:
    """The same whenever and by whichever process it is delivered, and of no other event.

    Its time is in it, since a journal that begins anew counts from one again.
    """
    return uuid5(NAMESPACE, f"{event.pk} {event.created_at.isoformat()} {type_}")


def actor_of(name: str) -> dict[str, str]:
    kind, _, known = name.partition(":")
    if kind in ROLES and known:
        return {"agent": known, "role": ROLES[kind]}
    return {"agent": name, "role": "operator" if name in OPERATORS else "coordinator"}


def _of_job(type_: str, happening: Happening) -> dict[str, object]:
    event, job, said = happening.event, happening.job, happening.event.payload
    more = {name: value for name, value in said.items() if name not in OF_THE_ENGINE}
    payload: dict[str, object] = {
        **more,
        "job_id": event.task_id,
        "executor_id": job.executor_id if job else None,
        "type": job.type if job else said.get("type"),
        "ts": event.created_at,
        "trace_id": job.trace_id if job else None,
    }
    if type_ in {"job.claimed", "job.started", "task.assign"}:
        payload |= {"worker_id": event.agent_id, "lease_token": said.get("lease_epoch")}
    elif type_ in {"job.succeeded", "task.result"}:
        payload["result"] = result_of(job)
    elif type_ == "job.done":
        payload["status"] = "succeeded"
    elif type_ in {"job.failed", "job.error", "task.error", DEAD_LETTERED}:
        error = error_of(job) or {"message": event.reason}
        payload |= {"error": error, "will_retry": said.get("to") == "queued"}
    elif type_ == "job.prioritized":
        payload["priority"] = said.get("to")
    return payload


def result_of(job: CollabJob | None) -> object:
    """The result of a job; None where it has none, or too long a one."""
    return getattr(job, "short_result", None)


def error_of(job: CollabJob | None) -> dict[str, str] | None:
    """Why a job failed last, as far as it still says so, with the reason of its dead letter."""
    reason: str = getattr(job, "short_reason", "")
    letter = job.letter if job else None
    if letter:
        return {"message": reason, "reason": letter.reason_code, "stage": letter.stage}
    return {"message": reason} if reason else None


def _of_agent(event: Event) -> dict[str, object]:
    verb = event.type.partition(".")[2]
    said = {name: value for name, value in event.payload.items() if name not in {"from", "to"}}
    return {
        **said,
        "agentId": event.agent_id,
        "event": verb,
        "status": STATUSES.get(verb),
        "ts": event.created_at,
    }
