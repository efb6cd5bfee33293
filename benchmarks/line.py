"""The line of tasks that both sides work through; every leg finds it in the same state."""

from uuid import UUID

import psycopg
from psycopg import sql

CHANNEL = "bench"
PAYLOAD = '{"path": "lib/python/example.py", "size": 12345}'
RESULT = '{"sha256": "0f343b0931126a20f133d67c2b018a3b"}'

# Columns that have no default in the database; the others have.
PLAIN = {
    "id": "uuidv7()",
    "title": "'task ' || n",
    "description": "''",
    "type": "''",
    "session_token": "''",
    "payload": f"'{PAYLOAD}'",
    "priority": "0",
    "execution_mode": "''",
    "idempotency_key": "''",
    "last_holder": "''",
    "lease_epoch": "0",
    "closed_epoch": "0",
    "attempts": "0",
    "max_attempts": "3",
    "losses": "0",
    "fail_reason": "''",
    "sequence": "0",
    "status": "'queued'",
    "blocked": "false",
    "available_at": "'2020-01-01'",
}


def refill(db: psycopg.Connection, channel: UUID, tasks: int) -> None:
    """Make the line anew: so many queued tasks without a chain, nothing else, all vacuumed.

    The checkpoint comes while nothing is there, so that none falls into a leg, and so that no
    page has to be logged whole in it.
    """
    db.execute("TRUNCATE tasks_task, events_event CASCADE")
    db.execute("CHECKPOINT")
    insert(db, tasks, channel_id=f"'{channel}'::uuid", queue_at=in_line(tasks))
    db.execute("VACUUM (ANALYZE) tasks_task")
    db.execute("VACUUM (ANALYZE) agents_agent")


def done(db: psycopg.Connection) -> tuple[int, int]:
    """How many tasks are done, and how many completions the journal tells of."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM tasks_task WHERE status = 'done'),"
        " (SELECT count(*) FROM events_event WHERE type = 'task.completed')"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def in_line(tasks: int, ago: str = "1 minute") -> str:
    """The place of task `n` of so many that were made until `ago`, a millisecond after each."""
    return f"now() - interval '{ago}' - ({tasks} - n) * interval '1 millisecond'"


def insert(db: psycopg.Connection, rows: int, **columns: str) -> None:
    """Insert so many tasks; `columns` are SQL expressions of `n`. Neither journal nor checks of
    foreign keys: those would only make the filling slow."""
    values = PLAIN | columns
    insert_rows(db, "tasks_task", values, f"generate_series(1, {rows}) AS n")


def insert_rows(db: psycopg.Connection, table: str, values: dict[str, str], rows: str) -> None:
    names = ", ".join(values)
    expressions = ", ".join(values.values())
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            sql.SQL(f"INSERT INTO {table} ({names}) SELECT {expressions} FROM {rows}")  # noqa: S608
        )
