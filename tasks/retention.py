"""Removal of old finished tasks, in batches."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Q

from events import journal
from problems.database import is_lock_timeout
from tasks.models import Task
from tasks.querysets import TaskQuerySet

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class PurgedRows:
    """How many rows were deleted, and how many were left because others have locked them."""

    gone: int
    left: int = 0


def purge(before: datetime, *, by: str, dry_run: bool = False, batch: int = BATCH) -> PurgedRows:
    """Delete tasks without chain or job that finished before `before`.

    A dry run only counts them. Each batch is one transaction, so that no row stays locked for long;
    tasks locked by others are left. Tasks of chains and jobs are deleted with these.
    """
    old = Task.objects.filter(chain=None, job=None, finished_at__lt=before)
    if dry_run:
        return PurgedRows(old.count())
    gone = 0
    behind = old
    while True:
        some = behind.order_by("finished_at", "pk").values_list("pk", "finished_at")
        rows = list(some[:batch])
        gone += _delete_free(old, [pk for pk, _ in rows], by=by)
        if len(rows) < batch:
            return PurgedRows(gone, old.count())
        pk, at = rows[-1]
        behind = old.filter(Q(finished_at__gt=at) | Q(pk__gt=pk), finished_at__gte=at)


def _delete_free(old: TaskQuerySet, ids: list[UUID], *, by: str) -> int:
    """Delete those of these old tasks that nobody else has locked; returns how many.

    Where somebody has locked an attempt or an input of one, they are deleted one by one.
    """
    try:
        with transaction.atomic():
            journal.attribute(actor=by, reason="purge")
            rows = old.filter(pk__in=ids).lock_to_delete()
            free = list(rows.values_list("pk", flat=True))
            delete(free)
            return len(free)
    except OperationalError as problem:
        if not is_lock_timeout(problem):
            raise
    return sum(_delete_free(old, [pk], by=by) for pk in ids) if len(ids) > 1 else 0


def delete(ids: list[UUID]) -> None:
    """Delete tasks that the caller has locked, with attempts and inputs; reads no payloads."""
    Task.objects.filter(pk__in=ids).only("pk").delete()
