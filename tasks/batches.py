"""Verbs for many tasks at once: of a job, or of a filter.

`cancel_all` and `requeue_all` skip tasks of chains, because their chains would have to be settled.

Each verb is one transaction: it locks its tasks in the order of their ids, then changes only those.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import uuid_utils.compat
from django.db import connection, transaction
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

from api.body import dumps
from events import journal
from tasks import ready, requirements
from tasks.models import Channel, Requirement, Task
from tasks.querysets import TaskQuerySet
from tasks.signals import chain_wanted
from tasks.statements import Statement
from tasks.states import CANCEL, REQUEUE, Status

BATCH = 2_000
"""Rows that one statement writes."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The values in which the tasks of one job differ."""

    title: str
    payload: Mapping[str, object]
    requirement_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many tasks were cancelled at once, and for how many the agent was asked to stop."""

    cancelled: int
    asked: int


@transaction.atomic
def enqueue_for_job(
    job_id: UUID,
    channel: Channel,
    drafts: Iterable[Draft],
    *,
    priority: int,
    max_attempts: int,
    retry_delay_seconds: int,
    user_id: UUID | None = None,
    by: str,
) -> int:
    """Enqueue a job's tasks in the order given, a batch in memory at a time; returns how many.

    The caller's transaction has made the job.
    """
    journal.attribute(actor=by)
    alike = _in_common(
        Task(
            job_id=job_id,
            user_id=user_id,
            channel=channel,
            priority=priority,
            max_attempts=max_attempts,
            retry_delay_seconds=retry_delay_seconds,
        )
    )
    names = ", ".join(alike)
    insert = Statement.of(
        f"INSERT INTO tasks_task (id, title, payload, requirement_id, {names})"  # noqa: S608
        f" SELECT n.*, {', '.join(f'%({name})s' for name in alike)} FROM unnest(%(ids)s::uuid[],"
        " %(titles)s::text[], %(payloads)s::jsonb[], %(requirements)s::bigint[]) n"
    )
    made = 0
    new = iter(drafts)
    while batch := list(islice(new, BATCH)):
        differing = {
            "ids": [uuid_utils.compat.uuid7() for _ in batch],
            "titles": [draft.title for draft in batch],
            "payloads": [dumps(draft.payload).decode() for draft in batch],
            "requirements": [draft.requirement_id for draft in batch],
        }
        insert.run(alike | differing)
        made += len(batch)
    ready.announce([channel.pk])
    return made


def _in_common(task: Task) -> dict[str, object]:
    """The columns of a new task that have no default in the database, with their values.

    One statement inserts a batch with these values and arrays of the others. For 100,000 rows it
    takes a few seconds, the ORM a minute.
    """
    values = {
        field.column: field.get_db_prep_save(getattr(task, field.attname), connection)
        for field in Task._meta.concrete_fields
        if field.column
        and not field.generated
        and field.column not in {"id", "title", "payload", "requirement_id"}
        and not isinstance(getattr(task, field.attname), DatabaseDefault)
    }
    return {column: value for column, value in values.items() if value is not None}


@transaction.atomic
def cancel_all(tasks: TaskQuerySet, *, by: str, reason: str = "") -> Cancelled:
    """Cancel the tasks that wait, and ask the agents of those in progress to stop."""
    journal.attribute(actor=by, reason=reason)
    locked = list(tasks.filter(chain=None).open().lock().values_list("pk", "status"))
    waiting = [pk for pk, status in locked if status != Status.IN_PROGRESS]
    running = [pk for pk, status in locked if status == Status.IN_PROGRESS]
    for some in _in_batches(waiting):
        some.update(**CANCEL())
    asked = 0
    for some in _in_batches(running):
        unasked = some.filter(cancel_asked_at=None)
        asked += unasked.update(cancel_asked_at=Now(), updated_at=Now())
    return Cancelled(len(waiting), asked)


@transaction.atomic
def requeue_all(tasks: TaskQuerySet, *, by: str, reason: str = "") -> int:
    """Put the failed tasks back in the queue with all their attempts; returns how many."""
    journal.attribute(actor=by, reason=reason)
    locked = list(
        tasks.filter(chain=None).failed().lock().values_list("pk", "channel", "requirement")
    )
    for some in _in_batches([pk for pk, _, _ in locked]):
        some.update(**REQUEUE())
    refused = {requirement for _, _, requirement in locked if requirement}
    for requirement in Requirement.objects.filter(pk__in=refused).exclude(refused_by=[]):
        wanted = requirements.without_refusals(requirement)
        for some in _in_batches([pk for pk, _, kept in locked if kept == requirement.pk]):
            some.update(requirement=wanted)
    ready.announce(channel for _, channel, _ in locked)
    return len(locked)


@transaction.atomic
def prioritize_all(tasks: TaskQuerySet, priority: int, *, by: str, reason: str = "") -> int:
    """Give the queued tasks another priority, those of chains too; returns how many."""
    journal.attribute(actor=by, reason=reason)
    queued = tasks.queued()
    chains = queued.filter(chain__isnull=False).order_by().values_list("chain", flat=True)
    chain_wanted.send(Task, agents=[], chains=sorted(set(chains)), skip_locked=False)
    locked = list(queued.lock().values_list("pk", flat=True))
    for some in _in_batches(locked):
        some.update(priority=priority, updated_at=Now())
    return len(locked)


def _in_batches(ids: Sequence[UUID]) -> Iterator[TaskQuerySet]:
    for start in range(0, len(ids), BATCH):
        yield Task.objects.filter(pk__in=ids[start : start + BATCH])
