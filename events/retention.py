"""Removal of old events from the journal."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from events import partitions
from events.models import EventKey

log = logging.getLogger("coordinator.retention")

# Oldest first along the primary key, from where the last batch ended, so that the dead entries
# which earlier batches left at the head of the index are not read again.
DELETE_EVENTS = """
WITH old AS (
    SELECT id, created_at FROM events_event
    WHERE created_at < %s AND id > %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM events_event e USING old
    WHERE e.id = old.id AND e.created_at = old.created_at RETURNING e.id
)
SELECT count(*), max(id) FROM gone
"""
DELETE_KEYS = """
WITH old AS (
    SELECT id FROM events_eventkey WHERE created_at < %s AND id > %s ORDER BY id LIMIT %s
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM events_eventkey k USING old WHERE k.id = old.id RETURNING k.id
)
SELECT count(*), max(id) FROM gone
"""


@dataclass(frozen=True)
class PurgedEvents:
    """The result of a purge: dropped months, and how many other events and used keys are gone.

    Nobody counts the events of a month; `estimated` is what PostgreSQL reckons.
    """

    months: list[str]
    events: int
    keys: int
    estimated: int = 0


def purge(before: datetime, *, dry_run: bool = False, batch: int = 5000) -> PurgedEvents:
    """Remove events and keys older than `before`; a dry run only counts those not in whole months.

    Whole months are dropped. The rest is deleted in batches, each a transaction, so that nobody
    waits long. A month that is too busy to be dropped is deleted in batches too.
    """
    months = partitions.ended_before(before)
    if dry_run:
        keys = EventKey.objects.filter(created_at__lt=before).count()
        events = sum(partitions.count_before(before, name) for name in partitions.others(months))
        return PurgedEvents(months, events, keys, partitions.estimated(months))
    estimated = {name: partitions.estimated([name]) for name in months}
    dropped = [name for name in months if _drop(name)]
    events = _delete_in_batches(DELETE_EVENTS, before, batch)
    keys = _delete_in_batches(DELETE_KEYS, before, batch)
    return PurgedEvents(dropped, events, keys, sum(estimated[name] for name in dropped))


def enforce() -> int:
    """Remove what is older than EVENT_RETENTION; return how many events, whole months estimated."""
    if not settings.EVENT_RETENTION:
        return 0
    gone = purge(timezone.now() - settings.EVENT_RETENTION)
    return gone.events + gone.estimated


def _drop(name: str) -> bool:
    try:
        partitions.drop(name)
    except OperationalError as busy:
        log.warning("A month could not be dropped.", extra={"month": name, "problem": str(busy)})
        return False
    return True


def _delete_in_batches(statement: str, before: datetime, batch: int) -> int:
    total, last, count = 0, 0, batch
    while count == batch:
        with connection.cursor() as cursor:
            cursor.execute(statement, [before, last, batch])
            count, last = cursor.fetchone()
        total += count
    return total
