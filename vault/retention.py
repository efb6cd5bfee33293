"""Removal of old rows of the audit of keys, with the journal's setting."""

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from vault.triggers import REMOVING

# Oldest first along the primary key, from where the last batch ended.
DELETE = """
WITH old AS (
    SELECT id FROM vault_keyaudit WHERE created_at < %(before)s AND id > %(last)s
    ORDER BY id LIMIT %(batch)s
), gone AS (
    DELETE FROM vault_keyaudit a USING old WHERE a.id = old.id RETURNING a.id
)
SELECT count(*), max(id) FROM gone"""
MAY_REMOVE = "SELECT set_config(%s, 'on', true)"


def enforce() -> int:
    """Remove what is older than EVENT_RETENTION; return how many rows. The tallies stay."""
    if not settings.EVENT_RETENTION:
        return 0
    return purge(timezone.now() - settings.EVENT_RETENTION)


def purge(before: datetime, *, batch: int = 5000) -> int:
    """Remove rows older than `before`, in batches that are each a transaction."""
    total, last, count = 0, 0, batch
    while count == batch:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MAY_REMOVE, [REMOVING])
            cursor.execute(DELETE, {"before": before, "last": last, "batch": batch})
            count, last = cursor.fetchone()
        total += count
    return total
