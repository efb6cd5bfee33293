"""Channels, tasks and inputs as /v1 shows them (contract 000-002, chapter 2)."""

import orjson

from agents.models import Protocol
from api import sizes
from api.pages import MOST
from api.views import filled
from tasks import requirements
from tasks.models import Attempt, Channel, Task, TaskInput
from tasks.rows import TaskRow
from tasks.states import Status


def channel(row: Channel) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "created_at": row.created_at,
        **filled(
            user_id=row.user_id,
            description=row.description,
            paused_at=row.paused_at,
            pause_reason=row.pause_reason,
        ),
    }


def task(row: Task | TaskRow, *, with_token: bool | None = None) -> dict[str, object]:
    """A task without its empty fields, but with any result.

    The token of a session request is shown while the task is queued, unless `with_token` is given.
    """
    body: dict[str, object] = {
        "id": row.id,
        "channel_id": row.channel_id,
        "title": row.title,
        "status": row.status,
        "priority": row.priority,
        "lease_epoch": row.lease_epoch,
        "max_attempts": row.max_attempts,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    if row.chain_id:
        body["chain_id"] = row.chain_id
        body["sequence"] = row.sequence
    # A row of a statement holds its JSON as the database wrote it.
    json = orjson.Fragment if isinstance(row, TaskRow) else _itself
    if row.payload and row.payload != "{}":
        body["payload"] = json(row.payload)
    for name in SHOWN_IF_SET:
        if value := getattr(row, name):
            body[name] = value
    if row.agent_id:
        body["assigned_agent_id"] = row.agent_id
    if row.reserved_for_id:
        body["reserved_for"] = row.reserved_for_id
    if row.postponed:
        body["available_at"] = row.available_at
    if row.status == Status.DONE:
        body["done_at"] = row.finished_at
    if row.result is not None:
        body["result"] = json(row.result)
    if row.session_token and (row.status == Status.QUEUED if with_token is None else with_token):
        body["agent_session_request_token"] = row.session_token
    return body


SHOWN_IF_SET = (
    "user_id",
    "job_id",
    "description",
    "type",
    "execution_mode",
    "idempotency_key",
    "claimed_at",
    "lease_expires_at",
    "attempts",
    "blocked",
    "cancel_asked_at",
    "finished_at",
    "fail_reason",
    "dead_letter",
)


def _itself(value: object) -> object:
    return value


def details(row: Task) -> dict[str, object]:
    """Further fields of a single task.

    `unserved`: it is queued, and no online agent offers what it wants. The attempts are the latest,
    as many as a page may have.
    """
    latest = sizes.first(row.bad_attempts.order_by("-epoch"), MOST)
    bad = [attempt(row) for row in reversed(latest)]
    requirement = row.requirement
    kind = Protocol.SPOT if row.job_id else Protocol.PLAIN
    waits = row.status == Status.QUEUED and requirement is not None
    return filled(
        bad_attempts=bad,
        wants=requirement.wants if requirement else {},
        requires=requirement.requires if requirement else {},
        refused_by=requirement.refused_by if requirement else [],
        unserved=waits and not requirements.is_served(requirement, requirements.present(kind)),
        retry_delay_seconds=row.retry_delay_seconds,
    )


def attempt(row: Attempt) -> dict[str, object]:
    return {
        "lease_epoch": row.epoch,
        "agent_id": row.agent_id,
        "outcome": row.outcome,
        "ended_at": row.ended_at,
        **filled(reason=row.reason, started_at=row.started_at),
    }


def task_input(row: TaskInput) -> dict[str, object]:
    return {
        "id": row.id,
        "task_id": row.task_id,
        "agent_id": row.agent_id,
        "kind": row.kind,
        "send_enter": row.send_enter,
        "created_at": row.created_at,
        **filled(text=row.text, idempotency_key=row.idempotency_key, claimed_at=row.claimed_at),
    }
