"""The journal's partitions: one table for each month, created ahead of time."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.db import connection, transaction

CREATING = 0x6A6F75726E616C  # "journal", as a number: one process at a time creates partitions
AHEAD = 2
PREFIX = "events_event_"

# Rows are only inserted: vacuum only has to freeze them and to update the visibility map.
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
ESTIMATE = """
SELECT COALESCE(sum(GREATEST(c.reltuples, 0)), 0)::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_event'::regclass AND c.relname = ANY (%s)
"""


def ensure(now: datetime) -> int:
    """Create the missing partitions of this month and the next two; return how many.

    Any number of processes may call this at once. Writers go on: attaching a partition blocks only
    those who use the default partition, and gives up after waiting two seconds for them. Rows of
    such a month move from the default partition into the new one.
    """
    months = [_month(now, ahead) for ahead in range(AHEAD + 1)]
    if all(_name(month) in existing() for month in months):
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CREATING])
        missing = [month for month in months if _name(month) not in existing()]
        if missing:
            cursor.execute("LOCK TABLE events_event_default IN ACCESS EXCLUSIVE MODE")
        for month in missing:
            names = {"name": _name(month), "start": month, "end": _month(month, 1)}
            for statement in (CREATE, MOVE, ATTACH):
                cursor.execute(statement.format(**names))
    return len(missing)


def missing(now: datetime) -> list[str]:
    """The names of this month's partition and the next two, as far as they are not there."""
    names = [_name(_month(now, ahead)) for ahead in range(AHEAD + 1)]
    there = existing()
    return [name for name in names if name not in there]


def existing() -> list[str]:
    """The names of the months' partitions, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(EXISTING)
        return [row[0] for row in cursor.fetchall()]


def ended_before(moment: datetime) -> list[str]:
    """The partitions whose month ended before `moment`."""
    return [name for name in existing() if _month(_start(name), 1) <= moment]


def others(months: Collection[str]) -> list[str]:
    """All partitions but these: the other months, and the one for rows of no month."""
    return [name for name in existing() if name not in months] + [f"{PREFIX}default"]


def count_before(moment: datetime, name: str) -> int:
    """The number of events in this partition that are older than `moment`."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name} WHERE created_at < %s", [moment])  # noqa: S608
        return int(cursor.fetchone()[0])


def estimated(months: Collection[str]) -> int:
    """How many events these partitions have as far as PostgreSQL knows, without reading them."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [list(months)])
        return int(cursor.fetchone()[0])


def ends_by(event_id: int, name: str) -> bool:
    """Whether all events of this partition have this id or a lower one."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT EXISTS (SELECT FROM {name} WHERE id > %s)", [event_id])  # noqa: S608
        return bool(cursor.fetchone()[0])


def drop(name: str) -> None:
    """Drop a month's partition. Raises OperationalError when the journal is too busy.

    The lock blocks every writer for an instant, so it is awaited for two seconds at most.
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
