"""Verbs for many tasks at once: of a job, of a filter. Tasks of chains are not among them.

Each is one transaction: lock what it is about in the order of the ids, then change just that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from events import journal
from tasks import ready, requirements
from tasks.models import Channel, Requirement, Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

BATCH = 2_000
"""Rows that one statement writes."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the tasks of one job differ in."""

    title: str
    payload: Mapping[str, object]
    requirement_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many were cancelled at once, and of how many the agent was asked to stop."""

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
    by: str,
) -> int:
    """Add a job's tasks, in line in the order given; how many. No more than a batch is in memory.

    The caller's transaction has made the job.
    """
    journal.attribute(actor=by)
    made = 0
    tasks = (
        Task(
            job_id=job_id,
            channel=channel,
            title=draft.title,
            payload=draft.payload,
            requirement_id=draft.requirement_id,
            priority=priority,
            max_attempts=max_attempts,
            retry_delay_seconds=retry_delay_seconds,
        )
        for draft in drafts
    )
    while batch := list(islice(tasks, BATCH)):
        made += len(Task.objects.bulk_create(batch))
    ready.announce([channel.pk])
    return made


@transaction.atomic
def cancel_all(tasks: TaskQuerySet, *, by: str, reason: str = "") -> Cancelled:
    """Cancel those that wait, and ask the agents of those in progress to stop."""
    journal.attribute(actor=by, reason=reason)
    locked = list(tasks.filter(chain=None).open().lock().values_list("pk", "status"))
    waiting = [pk for pk, status in locked if status != Status.IN_PROGRESS]
    running = [pk for pk, status in locked if status == Status.IN_PROGRESS]
    for some in _in_batches(waiting):
        some.update(status=Status.CANCELLED, postponed=False, finished_at=Now(), updated_at=Now())
    asked = 0
    for some in _in_batches(running):
        unasked = some.filter(cancel_asked_at=None)
        asked += unasked.update(cancel_asked_at=Now(), updated_at=Now())
    return Cancelled(len(waiting), asked)


@transaction.atomic
def requeue_all(tasks: TaskQuerySet, *, by: str, reason: str = "") -> int:
    """Give those that failed another chance, with all their attempts; how many."""
    journal.attribute(actor=by, reason=reason)
    locked = list(
        tasks.filter(chain=None).failed().lock().values_list("pk", "channel", "requirement")
    )
    for some in _in_batches([pk for pk, _, _ in locked]):
        some.update(
            status=Status.QUEUED,
            dead_letter="",
            fail_reason="",
            agent=None,
            attempts=0,
            losses=0,
            claimed_at=None,
            finished_at=None,
            cancel_asked_at=None,
            available_at=Now(),
            updated_at=Now(),
        )
    refused = {requirement for _, _, requirement in locked if requirement}
    for requirement in Requirement.objects.filter(pk__in=refused).exclude(refused_by=[]):
        wanted = requirements.of(requirement.wants)
        for some in _in_batches([pk for pk, _, kept in locked if kept == requirement.pk]):
            some.update(requirement=wanted)
    ready.announce(channel for _, channel, _ in locked)
    return len(locked)


def _in_batches(ids: Sequence[UUID]) -> Iterator[TaskQuerySet]:
    for start in range(0, len(ids), BATCH):
        yield Task.objects.filter(pk__in=ids[start : start + BATCH])
