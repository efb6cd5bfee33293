"""What the statements of the engine take and return: claims, outcomes, and tasks as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from agents.models import Protocol
from tasks.statements import Statement

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """The tasks that an agent asks for, from channels by id, or by name where no id is given.

    `type_prefix`: only those whose type begins so, of no chain and without a requirement.
    """

    agent_id: str
    ids: Sequence[UUID] = ()
    names: Sequence[str] = ()
    max_tasks: int = 1
    lease_seconds: int | None = None
    key: str = ""
    protocol: Protocol = Protocol.PLAIN
    type_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an agent says became of a task: done with a result, or failed with a reason."""

    task_id: UUID
    done: bool
    result: object = None
    reason: str = ""
    retriable: bool = False
    epoch: int | None = None


class TaskRow(NamedTuple):
    """A task as a statement returns it; its JSON is still text."""

    id: UUID
    user_id: UUID | None
    channel_id: UUID
    chain_id: UUID | None
    job_id: UUID | None
    sequence: int
    title: str
    description: str
    type: str
    session_token: str
    payload: str
    priority: int
    execution_mode: str
    idempotency_key: str
    trace: str
    status: str
    blocked: bool
    postponed: bool
    reserved_for_id: str | None
    agent_id: str | None
    lease_epoch: int
    lease_expires_at: datetime | None
    attempts: int
    max_attempts: int
    cancel_asked_at: datetime | None
    result: str | None
    fail_reason: str
    dead_letter: str
    created_at: datetime
    available_at: datetime
    claimed_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FastResult:
    """What the statement did: the tasks that it claimed, or without a claim those that it ended.

    `overtaken`: others were quicker with every task of no chain, and there are tasks of chains.
    """

    tasks: Sequence[TaskRow]
    overtaken: bool = False


COLUMNS = ", ".join(f"tasks_task.{name}" for name in TaskRow._fields)

SELECT = Statement.of(f"SELECT {COLUMNS} FROM tasks_task WHERE id = ANY (%(ids)s::uuid[])")  # noqa: S608


def read(ids: Sequence[UUID]) -> list[TaskRow]:
    """These tasks as they are now, in this order; those that are gone are left out."""
    found = {row[0]: TaskRow(*row) for row in SELECT.run({"ids": list(ids)})}
    return [found[pk] for pk in ids if pk in found]
