"""The journal's months: a table for each, made ahead of its time."""

from datetime import UTC, datetime

from django.db import connection, transaction

MAKING = 0x6A6F75726E616C  # "journal", as a number: one process at a time makes months
AHEAD = 2
PREFIX = "events_event_"

# Rows come in and stay: vacuum has nothing to clear, only to freeze and to map what is visible.
CREATE = """
CREATE TABLE {name} (LIKE events_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (
    autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05
)
"""
MOVE = """
WITH moved AS (
    DELETE FROM events_event_default WHERE created_at >= '{start}' AND created_at < '{end}'
    RETURNING *
)
INSERT INTO {name} SELECT * FROM moved
"""
ATTACH = "ALTER TABLE events_event ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
EXISTING = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_event'::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
ORDER BY c.relname
"""


def ensure(now: datetime) -> int:
    """Make the tables of this month and the next two, where missing; how many that were.

    Any number of processes may call it at once. Writers go on meanwhile, for a table that is
    attached shuts out nobody but those who write to or read from the default one, and gives up
    when those do not let it in within two seconds. Rows that the default table has taken for
    such a month move into it.
    """
    wanted = [_month(now, ahead) for ahead in range(AHEAD + 1)]
    if all(_name(month) in existing() for month in wanted):
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING])
        missing = [month for month in wanted if _name(month) not in existing()]
        if missing:
            cursor.execute("LOCK TABLE events_event_default IN ACCESS EXCLUSIVE MODE")
        for month in missing:
            what = {"name": _name(month), "start": month, "end": _month(month, 1)}
            for statement in (CREATE, MOVE, ATTACH):
                cursor.execute(statement.format(**what))
    return len(missing)


def existing() -> list[str]:
    """The names of the months' tables, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(EXISTING)
        return [row[0] for row in cursor.fetchall()]


def ended_before(moment: datetime) -> list[str]:
    """The tables that hold nothing as young as `moment`."""
    return [name for name in existing() if _month(_start(name), 1) <= moment]


def drop(name: str) -> None:
    """Remove a month with all that happened in it, unless the journal is too busy just now.

    This shuts out every writer for an instant, so it waits two seconds at most to be let in.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute(f"DROP TABLE {name}")


def _month(moment: datetime, ahead: int) -> datetime:
    """The first instant, in UTC, of the month `ahead` months after that of `moment`."""
    utc = moment.astimezone(UTC)
    years, month = divmod(utc.month - 1 + ahead, 12)
    return datetime(utc.year + years, month + 1, 1, tzinfo=UTC)


def _name(month: datetime) -> str:
    return f"{PREFIX}{month:%Y_%m}"


def _start(name: str) -> datetime:
    return datetime.strptime(name, f"{PREFIX}%Y_%m").replace(tzinfo=UTC)
