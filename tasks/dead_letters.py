"""Verbs for dead letters, the failed tasks that wait for a person: requeue many, or purge them.

Both work in batches, one transaction each, so that no row stays locked for long.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from events import journal
from problems import Problem
from tasks import batches, ready, retention, transitions
from tasks.exceptions import TaskUnknown, WrongStatus
from tasks.models import Task
from tasks.signals import chain_changed, chain_wanted
from tasks.states import Status

BATCH = 200
PATIENCE = 20.0  # seconds that one request may take; `more` says that it has not taken all


@dataclass
class DeadLetterResult:
    """How many dead letters a verb changed, which it refused and why, and whether more are left."""

    count: int = 0
    refused: dict[UUID, Problem] = field(default_factory=dict)
    more: bool = False


Verb = Callable[[Sequence[UUID], str, str], DeadLetterResult]


def requeue(ids: Sequence[UUID], by: str, reason: str) -> DeadLetterResult:
    """Put failed tasks back in the queue with all their attempts; the others are refused."""
    with transaction.atomic():
        tasks = list(Task.objects.filter(pk__in=ids, chain=None).lock().only("status"))
        failed = [task.pk for task in tasks if task.status == Status.FAILED]
        alone = Task.objects.filter(pk__in=failed)
        count = batches.requeue_all(alone, by=by, reason=reason) if failed else 0
    handled = DeadLetterResult(count, _refused(tasks))
    for task_id in Task.objects.filter(pk__in=ids, chain__isnull=False).values_list(
        "pk", flat=True
    ):
        try:
            transitions.requeue(task_id, by=by, reason=reason)
        except Problem as problem:
            handled.refused[task_id] = problem
        else:
            handled.count += 1
    return handled


@transaction.atomic
def purge(ids: Sequence[UUID], by: str, reason: str) -> DeadLetterResult:
    """Delete failed tasks for good, with their attempts and inputs; the others are refused.

    A chain that loses some goes on as if it had never had them.
    """
    journal.attribute(actor=by, reason=reason)
    chains = Task.objects.chains_of(ids)
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    lean = Task.objects.only("status", "channel", "chain")
    tasks = list(lean.filter(pk__in=ids).lock())
    failed = [task for task in tasks if task.status == Status.FAILED]
    retention.delete([task.pk for task in failed])
    chain_changed.send(Task, chains=chains, taken_by=None)
    ready.announce(task.channel_id for task in failed if task.chain_id)
    return DeadLetterResult(len(failed), _refused(tasks))


def _refused(tasks: Iterable[Task]) -> dict[UUID, Problem]:
    return {
        task.pk: WrongStatus(f"Task {task.pk} is {task.status}, so it is no dead letter.")
        for task in tasks
        if task.status != Status.FAILED
    }


def each(verb: Verb, ids: Sequence[UUID], *, by: str, reason: str) -> DeadLetterResult:
    """Apply the verb to these tasks; unknown ids are among the refused."""
    known = set(Task.objects.filter(pk__in=ids).values_list("pk", flat=True))
    all_ = DeadLetterResult(
        refused={pk: TaskUnknown(f"There is no task {pk}.") for pk in ids if pk not in known}
    )
    for start in range(0, len(ids), BATCH):
        handled = verb(ids[start : start + BATCH], by, reason)
        all_.count += handled.count
        all_.refused |= handled.refused
    return all_


def every(verb: Verb, tasks: QuerySet[Task], *, by: str, reason: str) -> DeadLetterResult:
    """Apply the verb once to each of these failed tasks, even if one fails again meanwhile.

    A task that another request has requeued or purged first is skipped, not refused.
    """
    all_ = DeadLetterResult()
    end = time.monotonic() + PATIENCE
    last: UUID | None = None
    while ids := _next(tasks, last):
        if time.monotonic() > end:
            all_.more = True
            break
        all_.count += verb(ids, by, reason).count
        last = ids[-1]
    return all_


def _next(tasks: QuerySet[Task], last: UUID | None) -> list[UUID]:
    behind = tasks.filter(pk__gt=last) if last else tasks
    return list(behind.order_by("pk").values_list("pk", flat=True)[:BATCH])
