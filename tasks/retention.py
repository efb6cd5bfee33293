"""Removal of old finished tasks, in batches."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from events import journal
from tasks.models import Task

BATCH = 1_000


def purge(before: datetime, *, by: str, dry_run: bool = False, batch: int = BATCH) -> int:
    """Delete tasks without chain or job that finished before `before`; returns how many.

    A dry run only counts them. Each batch is one transaction, so that no row stays locked for long;
    tasks locked by others are skipped. Tasks of chains and jobs are deleted with these.
    """
    old = Task.objects.filter(chain=None, job=None, finished_at__lt=before)
    if dry_run:
        return old.count()
    total = 0
    last: datetime | None = None
    while True:
        with transaction.atomic():
            journal.attribute(actor=by, reason="purge")
            behind = old.filter(finished_at__gte=last) if last else old
            rows = list(
                behind.order_by("finished_at")
                .lock_unless_busy()
                .values_list("pk", "finished_at")[:batch]
            )
            delete([pk for pk, _ in rows])
        total += len(rows)
        if len(rows) < batch:
            return total
        last = rows[-1][1]


def delete(ids: list[UUID]) -> None:
    """Delete tasks that the caller has locked, with attempts and inputs; reads no payloads."""
    Task.objects.filter(pk__in=ids).only("pk").delete()
