"""How a job counts its tasks: every statement on tasks writes a tally, and tallies are folded.

If each report updated the job's row, all reports of one sweep would wait for each other's commit.
So a trigger inserts a row with what the statement changed, in the same transaction, and nobody
waits; `fold` adds these tallies to the jobs. The exact counters of a job are its row plus its
tallies (`JobQuerySet.counted`).
"""

import pgtrigger
from django.db import connection, transaction

from events import journal
from events.triggers import ROWS

BATCH = 20_000

COLUMNS = "job_id, total, completed, failed, cancelled, started, at"

ENDED = "('done', 'failed', 'cancelled')"


def _counting(operation: pgtrigger.Operation, select: str) -> pgtrigger.Trigger:
    insert = f"INSERT INTO jobs_tally ({COLUMNS}) SELECT {select};"
    return pgtrigger.Trigger(
        name=f"tally_{str(operation).lower()}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=ROWS[operation],
        func=f"{insert} RETURN NULL;",
    )


def _counts(each: str) -> str:
    """SQL of the columns completed, failed and cancelled; `each` is one row's share by status."""
    return ", ".join(f"sum({each.format(status)})" for status in ("done", "failed", "cancelled"))


BEGUN = _counts("(n.status = '{}')::int")
GONE = _counts("-(o.status = '{}')::int")
CHANGES = ", ".join(
    f"(NEW.status = '{status}')::int - (OLD.status = '{status}')::int"
    for status in ("done", "failed", "cancelled")
)

BEGINS = """(NEW.status = 'in_progress' AND EXISTS (
  SELECT FROM jobs_job j WHERE j.id = NEW.job_id AND j.started_at IS NULL))"""
COUNT = f"""INSERT INTO jobs_tally ({COLUMNS}) VALUES (NEW.job_id, 0, {CHANGES},
  'in_progress' IN (NEW.status, OLD.status), clock_timestamp());"""  # noqa: S608

TALLY_TRIGGERS = [
    _counting(
        pgtrigger.Insert,
        f"n.job_id, count(*), {BEGUN}, bool_or(n.status <> 'queued'), clock_timestamp()"
        " FROM new_rows n WHERE n.job_id IS NOT NULL GROUP BY n.job_id",
    ),
    # Row by row and with a condition, it costs the tasks of no job next to nothing.
    pgtrigger.Trigger(
        name="tally_update",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("NEW.job_id IS NOT NULL"),
        func="IF NEW.status <> OLD.status"
        f" AND (NEW.status IN {ENDED} OR OLD.status IN {ENDED} OR {BEGINS}) THEN {COUNT} END IF;"
        " RETURN NULL;",
    ),
    _counting(
        pgtrigger.Delete,
        f"o.job_id, -count(*), {GONE}, false, clock_timestamp()"
        " FROM old_rows o WHERE o.job_id IS NOT NULL GROUP BY o.job_id",
    ),
]

# A job that somebody has locked keeps its tallies for the next time; those of a job that is gone
# go with the others.
FOLD = f"""
WITH free AS MATERIALIZED (
  SELECT id, total, completed, failed, cancelled, started_at, cancel_asked_at FROM jobs_job j
  WHERE id IN (SELECT job_id FROM jobs_tally) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
taken AS (
  DELETE FROM jobs_tally WHERE id = ANY (ARRAY(  -- with IN, it may run for each row
    SELECT t.id FROM jobs_tally t
    WHERE t.job_id IN (SELECT id FROM free)
      OR NOT EXISTS (SELECT FROM jobs_job j WHERE j.id = t.job_id)
    ORDER BY t.id LIMIT {BATCH} FOR UPDATE SKIP LOCKED))
  RETURNING *),
added AS (
  SELECT job_id, sum(total) AS total, sum(completed) AS completed, sum(failed) AS failed,
    sum(cancelled) AS cancelled, min(at) FILTER (WHERE started) AS first, max(at) AS last
  FROM taken GROUP BY job_id),
now_ AS (
  SELECT j.id, j.total + a.total AS total, j.completed + a.completed AS completed,
    j.failed + a.failed AS failed, j.cancelled + a.cancelled AS cancelled,
    COALESCE(j.started_at, a.first) AS started_at, a.last,
    j.cancel_asked_at IS NOT NULL AS asked
  FROM free j JOIN added a ON a.job_id = j.id),
judged AS (
  SELECT *, jobs_status(total, completed, failed, cancelled, started_at IS NOT NULL, asked)
    AS status FROM now_),
folded AS (
  UPDATE jobs_job j SET total = n.total, completed = n.completed, failed = n.failed,
    cancelled = n.cancelled, started_at = n.started_at, status = n.status,
    finished_at = CASE WHEN n.status NOT IN ('PENDING', 'RUNNING') THEN n.last END,
    updated_at = now()
  FROM judged n WHERE n.id = j.id)
SELECT count(*) FROM taken"""  # noqa: S608


def fold() -> int:
    """Add the tallies to their jobs and delete them; return how many."""
    total = taken = _fold_batch()
    while taken == BATCH:
        total += (taken := _fold_batch())
    return total


def _fold_batch() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        journal.attribute(actor="coordinator")
        cursor.execute(FOLD)
        row = cursor.fetchone()
        return int(row[0]) if row else 0
