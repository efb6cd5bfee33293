"""The queue of tasks that both sides work through; every leg finds it in the same state."""

from contextlib import suppress
from uuid import UUID

import psycopg
from psycopg import sql

CHANNEL = "bench"
ATTEMPTS = 10
PAYLOAD = '{"path": "lib/python/example.py", "size": 12345}'
RESULT = '{"sha256": "0f343b0931126a20f133d67c2b018a3b"}'

# A queued task without a chain. Where a table demands more, `insert_statement` adds it.
QUEUED = {
    "id": "uuidv7()",
    "title": "'task ' || n",
    "payload": f"'{PAYLOAD}'",
    "max_attempts": "3",
    "status": "'queued'",
    "available_at": "'2020-01-01'",
}
# What a column gets that may not be null and has no default in the database, by its type.
EMPTY = {
    "boolean": "false",
    "integer": "0",
    "bigint": "0",
    "text": "''",
    "character varying": "''",
    "jsonb": "'{}'",
}


def refill(db: psycopg.Connection, channel: UUID, tasks: int) -> None:
    """Fill the queue anew: so many queued tasks without a chain, nothing else, all vacuumed.

    The checkpoint comes while nothing is there, so that none falls into a leg, and so that no
    page has to be logged whole in it.
    """
    _empty(db)
    db.execute("CHECKPOINT")
    insert(db, tasks, channel_id=f"'{channel}'::uuid", queue_at=queue_at(tasks))
    db.execute("VACUUM (ANALYZE) tasks_task")
    db.execute("VACUUM (ANALYZE) agents_agent")


def _empty(db: psycopg.Connection) -> None:
    """The maintenance loop reads these tables in an order of its own, which may be a deadlock."""
    for _ in range(ATTEMPTS):
        with suppress(psycopg.errors.DeadlockDetected):
            db.execute("TRUNCATE tasks_task, events_event CASCADE")
            return
    raise TimeoutError("The tables could not be emptied.")


def count_done(db: psycopg.Connection) -> tuple[int, int]:
    """The number of tasks that are done, and of completions in the journal."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM tasks_task WHERE status = 'done'),"
        " (SELECT count(*) FROM events_event WHERE type = 'task.completed')"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def queue_at(tasks: int, ago: str = "1 minute") -> str:
    """The time of task `n` of so many that were enqueued until `ago`, one each millisecond."""
    return f"now() - interval '{ago}' - ({tasks} - n) * interval '1 millisecond'"


def insert(db: psycopg.Connection, rows: int, **columns: str) -> None:
    """Insert so many tasks; `columns` are SQL expressions of `n`. Neither journal nor checks of
    foreign keys: those would only make the filling slow."""
    insert_rows(db, "tasks_task", QUEUED | columns, f"generate_series(1, {rows}) AS n")


def insert_rows(db: psycopg.Connection, table: str, values: dict[str, str], rows: str) -> None:
    """Insert without triggers, whatever the version of the coordinator that made the table."""
    statement = insert_statement(db, table, values, rows)
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(sql.SQL(statement))


def insert_statement(db: psycopg.Connection, table: str, values: dict[str, str], rows: str) -> str:
    """The text of an INSERT that fits the table as it is: it leaves out columns that the table does
    not have, and fills those for which the table demands a value."""
    columns = db.execute(
        "SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL"
        " AND is_identity = 'NO' AND is_generated = 'NEVER' FROM information_schema.columns"
        " WHERE table_name = %s AND table_schema = current_schema()",
        [table],
    ).fetchall()
    given = {
        name: values[name] if name in values else EMPTY[kind]
        for name, kind, is_demanded in columns
        if name in values or is_demanded
    }
    return (
        f"INSERT INTO {table} ({', '.join(given)}) SELECT {', '.join(given.values())} FROM {rows}"  # noqa: S608
    )
