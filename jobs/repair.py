"""Recount the tasks of every job and repair wrong counters."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from jobs import tally
from jobs.models import Job

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('jobs:recount', 0))"
BATCH = 1_000

# One statement sees the tasks, tallies and row of a job in one snapshot, so concurrent changes do
# not disturb it. Differences are written as tallies, so no transaction waits for it.
RECOUNT = """
WITH counted AS (
  SELECT j.id, j.status, j.started_at, j.cancel_asked_at IS NOT NULL AS asked,
    count(t.id) AS waiting, j.total + COALESCE(sum(t.total), 0) AS total,
    j.completed + COALESCE(sum(t.completed), 0) AS completed,
    j.failed + COALESCE(sum(t.failed), 0) AS failed,
    j.cancelled + COALESCE(sum(t.cancelled), 0) AS cancelled
  FROM jobs_job j LEFT JOIN jobs_tally t ON t.job_id = j.id
  WHERE j.id = %(job)s GROUP BY j.id),
actual AS (
  SELECT job_id, count(*) AS total, count(*) FILTER (WHERE status = 'done') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    bool_or(status IN ('in_progress', 'done', 'failed')) AS started
  FROM tasks_task WHERE job_id = %(job)s GROUP BY job_id),
wrong AS (
  SELECT c.id, COALESCE(a.total, 0) - c.total AS total,
    COALESCE(a.completed, 0) - c.completed AS completed,
    COALESCE(a.failed, 0) - c.failed AS failed,
    COALESCE(a.cancelled, 0) - c.cancelled AS cancelled,
    COALESCE(a.started, false) AND c.started_at IS NULL AS started,
    c.waiting = 0 AND c.status <> jobs_status(c.total::bigint, c.completed::bigint,
      c.failed::bigint, c.cancelled::bigint, c.started_at IS NOT NULL, c.asked) AS misjudged
  FROM counted c LEFT JOIN actual a ON a.job_id = c.id)
INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at)
SELECT id, total, completed, failed, cancelled, started, clock_timestamp() FROM wrong
WHERE (total, completed, failed, cancelled) <> (0, 0, 0, 0) OR misjudged ORDER BY id
RETURNING job_id, total, completed, failed, cancelled
"""


@dataclass(frozen=True, slots=True)
class JobRepair:
    """What was added to a job's counters; all zero if only its status was wrong."""

    job_id: UUID
    total: int
    completed: int
    failed: int
    cancelled: int


def recount(*, dry_run: bool = False) -> Iterator[JobRepair]:
    """Count the tasks of each job and add the differences; yields the jobs that were wrong.

    Each job is a transaction, which a dry run rolls back.
    """
    if not dry_run:
        tally.fold()
    last: UUID | None = None
    while ids := _next(last):
        for job_id in ids:
            yield from _recount(job_id, dry_run=dry_run)
        last = ids[-1]
    if not dry_run:
        tally.fold()


def _next(last: UUID | None) -> list[UUID]:
    behind = Job.objects.filter(pk__gt=last) if last else Job.objects.all()
    return list(behind.order_by("pk").values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def _recount(job_id: UUID, *, dry_run: bool) -> list[JobRepair]:
    with connection.cursor() as cursor:
        cursor.execute(ALONE)
        cursor.execute(RECOUNT, {"job": job_id})
        wrong = [JobRepair(*row) for row in cursor.fetchall()]
    transaction.set_rollback(dry_run)
    return wrong
