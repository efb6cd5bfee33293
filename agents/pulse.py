"""The pulse: agents can be heard. While it is missing, and a while after, nobody is lost."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import connection, models, transaction

from agents.querysets import PULSE_WITHIN

EVERY = 1.0  # seconds

BEAT = """
INSERT INTO agents_pulse AS p (id, beat_at, grace_until)
VALUES (1, clock_timestamp(), clock_timestamp() + %(grace)s * interval '1 second')
ON CONFLICT (id) DO UPDATE SET beat_at = EXCLUDED.beat_at, grace_until = CASE
    WHEN %(anew)s OR p.beat_at < EXCLUDED.beat_at - %(within)s * interval '1 second'
    THEN EXCLUDED.grace_until ELSE LEAST(p.grace_until, EXCLUDED.grace_until) END
RETURNING p.grace_until
"""


GRACE = """
UPDATE agents_pulse SET grace_until = clock_timestamp() + %(grace)s * interval '1 second'
WHERE grace_until < clock_timestamp() + %(grace)s * interval '1 second'
"""

Models = Collection[type[models.Model]]


def beat(written: Models = (), read: Models = (), *, anew: bool = False) -> datetime:
    """Note that agents can be heard now; returns the end of the last grace.

    `written` and `read`: what their requests write to and read. A table of these that is locked is
    waited for half a second, then the pulse is missed (OperationalError). After a pulse that was
    missed, or `anew`, agents have the grace of the settings to be heard before their silence counts
    again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '500ms'")
        for needed, mode in ((written, "ROW EXCLUSIVE"), (read, "ACCESS SHARE")):
            if needed:
                names = (connection.ops.quote_name(model._meta.db_table) for model in needed)
                cursor.execute(f"LOCK TABLE {', '.join(names)} IN {mode} MODE")
        cursor.execute(
            BEAT,
            {
                "grace": settings.GRACE.total_seconds(),
                "within": PULSE_WITHIN.total_seconds(),
                "anew": anew,
            },
        )
        until: datetime = cursor.fetchone()[0]
    return until


def begin_grace() -> None:
    """Agents cannot be heard somewhere: from now on they have the grace of the settings."""
    with connection.cursor() as cursor:
        cursor.execute(GRACE, {"grace": settings.GRACE.total_seconds()})
