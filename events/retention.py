"""Removal of old events from the journal."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from events import partitions
from events.models import Event, EventKey
from events.signals import events_purged

LAST_OF_ALL = 2**63 - 1  # of ids

log = logging.getLogger("coordinator.retention")

# Oldest first along the primary key, from where the last batch ended, so that the dead entries
# which earlier batches left at the head of the index are not read again.
DELETE_EVENTS = """
WITH old AS (
    SELECT id, created_at FROM events_event
    WHERE created_at < %(before)s AND id > %(last)s AND id <= %(most)s
    ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM events_event e USING old
    WHERE e.id = old.id AND e.created_at = old.created_at RETURNING e.id
)
SELECT count(*), max(id) FROM gone
"""
DELETE_KEYS = """
WITH old AS (
    SELECT id FROM events_eventkey WHERE created_at < %(before)s AND id > %(last)s
    ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
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
    waits long. A month that is too busy to be dropped is deleted in batches too. What a room above
    still needs (`events_purged`) stays.
    """
    months = partitions.ended_before(before)
    if dry_run:
        keys = EventKey.objects.filter(created_at__lt=before).count()
        events = sum(partitions.count_before(before, name) for name in partitions.others(months))
        return PurgedEvents(months, events, keys, partitions.estimated(months))
    most = _no_longer_needed()
    estimated = {name: partitions.estimated([name]) for name in months}
    dropped = [name for name in months if partitions.ends_by(most, name) and _drop(name)]
    events = _delete_in_batches(DELETE_EVENTS, before, batch, most)
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


def _no_longer_needed() -> int:
    """The id of the last event that no room above needs any more."""
    answers = [answer for _, answer in events_purged.send(Event)]
    return min([LAST_OF_ALL, *(int(answer) for answer in answers if answer is not None)])


def _delete_in_batches(
    statement: str, before: datetime, batch: int, most: int = LAST_OF_ALL
) -> int:
    total, last, count = 0, 0, batch
    while count == batch:
        with connection.cursor() as cursor:
            cursor.execute(
                statement, {"before": before, "last": last, "most": most, "batch": batch}
            )
            count, last = cursor.fetchone()
        total += count
    return total
