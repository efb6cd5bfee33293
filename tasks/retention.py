"""Finished tasks that are too old to keep go, little by little."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from events import journal
from tasks.models import Task

BATCH = 1_000


def purge(before: datetime, *, by: str, dry_run: bool = False, batch: int = BATCH) -> int:
    """Delete tasks that stand alone and finished before then, with all that is kept of them.

    How many; a dry run only counts them. Each batch is a transaction of its own, so that nobody
    waits long; a task that somebody is changing stays. Tasks of chains go with their chain, those
    of jobs with their job.
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
    """Delete locked tasks with their attempts and inputs; their payloads are not read."""
    Task.objects.filter(pk__in=ids).only("pk").delete()
