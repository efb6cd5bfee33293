"""The journal counted: how often what happened to tasks, and how long they waited and ran.

Every change of a task's status writes an event, whoever makes it. A pass of the loop folds new
events into a small table, so what counts costs those who work nothing. A count is what is folded
plus the events that came since, read in one snapshot: exact at any moment, also after a restart.

Ids of events are handed out before commit, so a lower id may appear after a higher one. `fold`
notes the last id that was handed out, and folds up to it once every transaction that ran then has
ended. Events and mark change in one transaction: each event is counted once.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from tasks import rollups
from tasks.signals import events_folded
from tasks.states import Status
from tasks.tally_models import TallyMark, TaskTally, TaskTiming

BATCH = 20_000  # ids in one transaction
LONGEST = 1.0  # seconds of a call
MOST_READ = 200_000  # ids behind the mark that a reader counts: so many gather without a loop
MOST_TYPES = 200
OTHER = "other"
"""The type of those that came after the first MOST_TYPES: labels of metrics must stay few."""
HOURS_KEPT = timedelta(days=32)

EVER = datetime(1970, 1, 1, tzinfo=UTC)
COUNTED = "task.counted"
"""Not in the journal: tasks that were there before there were tallies, or that a recount found."""
QUEUE, RUN = "queue", "run"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

KIND = "channel_id, type, of_job, event, source, target, reason"
"""What is counted together."""
TIMED = ("channel_id", "type", "of_job", "phase", "bucket", "count", "seconds")

NOWHERE = UUID(int=0)
"""The channel of events that name none."""

# The transactions that may still write an event with an id from before: all that run, but for
# those that have written nothing for longer than any transaction of ours takes (events/bounds.py),
# as a dump does. Of other roles the server may not tell us; then that time alone counts. Processes
# of the server's own, as autovacuum, have no role and write no event.
HORIZON = """
SELECT LEAST(clock_timestamp(), min(CASE
    WHEN query = '<insufficient privilege>' THEN clock_timestamp() - interval '90 seconds'
    WHEN backend_xid IS NOT NULL OR xact_start > clock_timestamp() - interval '90 seconds'
    THEN xact_start END)) - interval '1 second'
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
LAST_ID = (
    "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM events_event_id_seq"
)

# Two bounds, also where one would do: for one alone a generic plan reads the whole table.
HAPPENED = """
  SELECT e.id, e.created_at, e.task_id, COALESCE(e.channel_id, '{nowhere}') AS channel_id,
    COALESCE(e.payload ->> 'type', '') AS type, e.job_id IS NOT NULL AS of_job, e.type AS event,
    CASE jsonb_typeof(e.payload -> 'from') WHEN 'string' THEN e.payload ->> 'from' ELSE '' END
      AS source,
    CASE jsonb_typeof(e.payload -> 'to') WHEN 'string' THEN e.payload ->> 'to' ELSE '' END
      AS target,
    left(COALESCE(e.payload ->> 'dead_letter', e.payload ->> 'outcome', ''), 64) AS reason,
    CASE jsonb_typeof(e.payload -> 'lease_epoch') WHEN 'number'
      THEN (e.payload ->> 'lease_epoch')::bigint END AS epoch,
    e.agent_id, e.request_id
  FROM events_event e
  WHERE {where} AND e.source = 'coordinator' AND e.type LIKE 'task.%%'"""
KNOWN = f"""
  SELECT DISTINCT type FROM tasks_tasktally WHERE hour = '{EVER}' AND type NOT IN ('', '{OTHER}')"""  # noqa: S608
FRESH = """
  SELECT type, row_number() OVER (ORDER BY min(id)) AS place FROM happened
  WHERE type <> '' AND type NOT IN (SELECT type FROM known) GROUP BY type"""
NAMED = f"""
  SELECT type FROM known UNION ALL SELECT '' UNION ALL
  SELECT type FROM fresh WHERE place + (SELECT count(*) FROM known) <= {MOST_TYPES}"""  # noqa: S608


def happened(*ranges: str) -> str:
    """The events of tasks in these ranges; `e` is the journal."""
    return " UNION ALL ".join(HAPPENED.format(where=where, nowhere=NOWHERE) for where in ranges)


def events(*ranges: str) -> str:
    """CTEs up to `typed`: events `e` of tasks in these ranges, their types among the named."""
    return f"""happened AS MATERIALIZED ({happened(*ranges)}),
known AS ({KNOWN}),
fresh AS ({FRESH}),
named AS ({NAMED}),
typed AS (
  SELECT h.id, h.created_at, h.task_id, h.channel_id, COALESCE(n.type, '{OTHER}') AS type,
    h.of_job, h.event, h.source, h.target, h.reason, h.epoch
  FROM happened h LEFT JOIN named n ON n.type = h.type)"""  # noqa: S608


MARK = "COALESCE((SELECT folded FROM tasks_tallymark), 0)"
FIRST_NOT_FOLDED = f"""
SELECT id FROM events_event
WHERE id > {MARK} AND id <= 9223372036854775807 AND source = 'coordinator' AND type LIKE 'task.%'
ORDER BY id LIMIT 1"""  # noqa: S608
NEW = f"e.id > ({MARK}) AND e.id <= ({MARK} + {MOST_READ})"
SINCE = events(NEW)
FOLDED = events("e.id > %(low)s AND e.id <= %(high)s")
SUMMED = f"""
WITH {SINCE}, summed AS (
  SELECT {KIND}, sum(count)::bigint AS count FROM (
    SELECT {KIND}, count FROM tasks_tasktally WHERE hour = '{EVER}'
    UNION ALL SELECT {KIND}, 1 FROM typed) every
  GROUP BY {KIND})"""  # noqa: S608
READ = f"{SUMMED} SELECT * FROM summed WHERE count <> 0"  # noqa: S608
BY_STATUS = f"""{SUMMED}
SELECT status, sum(count)::bigint FROM (
  SELECT target AS status, count FROM summed
  UNION ALL SELECT source, -count FROM summed) moved
WHERE status <> '' GROUP BY 1"""  # noqa: S608

IN_HOUR = f"(VALUES (date_trunc('hour', created_at, 'UTC')), ('{EVER}'::timestamptz)) AS at (hour)"
FOLD_COUNTS = f"""
WITH {FOLDED},
rolled AS ({rollups.COUNTS})
INSERT INTO tasks_tasktally AS t (hour, {KIND}, count)
SELECT hour, {KIND}, count(*)
FROM typed CROSS JOIN LATERAL {IN_HOUR} GROUP BY hour, {KIND}
ON CONFLICT (hour, {KIND})
DO UPDATE SET count = t.count + EXCLUDED.count"""  # noqa: S608

# When a wait that ended with the event `e` began, and a run. The task still has the times of its
# last lease. Of one before, and of a task that is gone, the journal has them; there a wait begins
# when the task was put back, not after its pause.
WAITED_SINCE = """COALESCE(
    (SELECT t.available_at FROM tasks_task t
      WHERE t.id = e.task_id::uuid AND t.lease_epoch = e.epoch AND t.claimed_at = e.created_at),
    (SELECT b.created_at FROM events_event b WHERE b.task_id = e.task_id AND b.id < e.id
      AND b.source = 'coordinator' AND b.payload ->> 'to' = 'queued'
      ORDER BY b.id DESC LIMIT 1))"""
RAN_SINCE = """COALESCE(
    (SELECT t.claimed_at FROM tasks_task t
      WHERE t.id = e.task_id::uuid AND t.lease_epoch = e.epoch),
    (SELECT b.created_at FROM events_event b WHERE b.task_id = e.task_id AND b.id < e.id
      AND b.type = 'task.claimed' AND b.source = 'coordinator' ORDER BY b.id DESC LIMIT 1))"""
FOLD_TIMINGS = f"""
WITH {FOLDED},
timed AS (
  SELECT e.created_at, e.channel_id, e.type, e.of_job, '{QUEUE}' AS phase, {WAITED_SINCE} AS since
  FROM typed e WHERE e.event = 'task.claimed'
  UNION ALL
  SELECT e.created_at, e.channel_id, e.type, e.of_job, '{RUN}', {RAN_SINCE}
  FROM typed e WHERE e.source = 'in_progress'),
took AS (
  SELECT created_at, channel_id, type, of_job, phase,
    GREATEST(extract(epoch FROM created_at - since)::float8, 0) AS seconds
  FROM timed WHERE since IS NOT NULL),
rolled AS ({rollups.waits(BUCKETS)})
INSERT INTO tasks_tasktiming AS t (hour, channel_id, type, of_job, phase, bucket, count, seconds)
SELECT hour, channel_id, type, of_job, phase,
  width_bucket(seconds, ARRAY[{", ".join(map(str, BUCKETS))}]::float8[]), count(*), sum(seconds)
FROM took CROSS JOIN LATERAL {IN_HOUR} GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (hour, channel_id, type, of_job, phase, bucket)
DO UPDATE SET count = t.count + EXCLUDED.count, seconds = t.seconds + EXCLUDED.seconds"""  # noqa: S608

# One statement sees tallies, events and tasks in one snapshot, so nobody has to wait for it.
RECOUNT = f"""{SUMMED},
counted AS (
  SELECT channel_id, type, of_job, status, sum(count) AS count FROM (
    SELECT channel_id, type, of_job, target AS status, count FROM summed
    UNION ALL SELECT channel_id, type, of_job, source, -count FROM summed) moved
  WHERE status <> '' GROUP BY 1, 2, 3, 4),
actual AS (
  SELECT t.channel_id, COALESCE(n.type, '{OTHER}') AS type, t.job_id IS NOT NULL AS of_job,
    t.status, count(*) AS count
  FROM tasks_task t LEFT JOIN named n ON n.type = t.type GROUP BY 1, 2, 3, 4)
SELECT channel_id, type, of_job, status, COALESCE(a.count, 0) - COALESCE(c.count, 0) AS missing
FROM counted c FULL JOIN actual a USING (channel_id, type, of_job, status)
WHERE COALESCE(a.count, 0) <> COALESCE(c.count, 0) ORDER BY 1, 2, 3, 4"""  # noqa: S608
ADD = f"""
INSERT INTO tasks_tasktally AS t (hour, {KIND}, count)
VALUES (%s, %s, %s, %s, %s, '', %s, '', %s)
ON CONFLICT (hour, {KIND}) DO UPDATE SET count = t.count + EXCLUDED.count"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened to the tasks of a channel and type."""

    channel_id: UUID
    type: str
    of_job: bool
    event: str
    source: str
    target: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Timing:
    """How many waits or runs of tasks of a channel and type fell into a bucket."""

    channel_id: UUID
    type: str
    of_job: bool
    phase: str
    bucket: int
    count: int
    seconds: float


class TallyDrift(NamedTuple):
    """By how many tasks of a channel, type and status the tallies are short."""

    channel_id: UUID
    type: str
    of_job: bool
    status: str
    missing: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the tallies are behind the journal: ids, and seconds since they were sampled."""

    ids: int
    seconds: float


def read() -> list[Tally]:
    """All that ever happened, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return [Tally(*row) for row in cursor.fetchall()]


def by_status() -> dict[str, int]:
    """How many tasks there are of each status, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(BY_STATUS)
        found = dict(cursor.fetchall())
    return {status: found.get(status, 0) for status in Status.values}


def by_channel_and_status(counted: Iterable[Tally]) -> Mapping[tuple[UUID, str], int]:
    """The same for each channel, from what was read."""
    found: Counter[tuple[UUID, str]] = Counter()
    for row in counted:
        found[row.channel_id, row.target] += row.count
        found[row.channel_id, row.source] -= row.count
    return {key: count for key, count in found.items() if key[1]}


def timings() -> list[Timing]:
    """All waits and runs up to the last fold."""
    rows = TaskTiming.objects.filter(hour=EVER)
    return [Timing(*row) for row in rows.values_list(*TIMED)]


def fold() -> int:
    """Count the events that have come and are settled; return how many ids they span.

    After an outage there may be very many: some at each call, so that other passes have their turn.
    """
    end = time.monotonic() + LONGEST
    total = folded = _fold_batch()
    while folded == BATCH and time.monotonic() < end:
        total += (folded := _fold_batch())
    return total


@transaction.atomic
def _fold_batch() -> int:
    """Fold one batch up to the sampled id if all transactions of that time have ended."""
    mark = _locked_mark()
    if mark is None:
        return 0
    with connection.cursor() as cursor:
        # A statement before those that count: what has ended by now, they all see.
        cursor.execute(HORIZON)
        settled = cursor.fetchone()[0] > mark.sampled_at
        high = min(mark.sampled, mark.folded + BATCH) if settled else mark.folded
        ids = {"low": mark.folded, "high": high}
        if high > mark.folded:
            cursor.execute(FOLD_COUNTS, ids)
            cursor.execute(FOLD_TIMINGS, ids)
            told = partial(events_folded.send, TaskTally, **ids)
            transaction.on_commit(told, robust=True)
        folded, mark.folded = high - mark.folded, high
        if mark.folded == mark.sampled:
            cursor.execute(LAST_ID)
            mark.sampled = cursor.fetchone()[0]
            # After the id was read: who got it had begun before.
            cursor.execute("SELECT clock_timestamp()")
            mark.sampled_at = cursor.fetchone()[0]
    mark.save()
    return folded


def _locked_mark() -> TallyMark | None:
    """The mark, made where there is none; None while somebody else folds."""
    unless_busy = TallyMark.objects.select_for_update(skip_locked=True, no_key=True)
    mark = unless_busy.first()
    if mark is None:
        begun = TallyMark(folded=0, sampled=0, sampled_at=timezone.now())
        TallyMark.objects.bulk_create([begun], ignore_conflicts=True)
        mark = unless_busy.first()
    return mark


def last_counted() -> int | None:
    """The id before that of the first event of a task that is not folded yet; None without any."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_NOT_FOLDED)
        found = cursor.fetchone()
    return None if found is None else int(found[0]) - 1


def lag() -> Lag:
    """How far the tallies are behind; a reader counts MOST_READ ids beyond them, and no more."""
    mark = TallyMark.objects.first()
    with connection.cursor() as cursor:
        cursor.execute(LAST_ID)
        last = cursor.fetchone()[0]
    if mark is None:
        return Lag(last, 0.0)
    return Lag(max(0, last - mark.folded), (timezone.now() - mark.sampled_at).total_seconds())


def drift() -> list[TallyDrift]:
    """Where the tallies say another number of tasks than there is; reads all tasks."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT)
        return [TallyDrift(*row) for row in cursor.fetchall()]


@transaction.atomic
def repair(*, dry_run: bool = False) -> list[TallyDrift]:
    """Add what the tallies are short of; where they were."""
    wrong = drift()
    if not dry_run:
        with connection.cursor() as cursor:
            for one in wrong:
                of = EVER, one.channel_id, one.type, one.of_job, COUNTED
                cursor.execute(ADD, [*of, one.status, one.missing])
    return wrong


def forget_hours() -> int:
    """Delete the counts of hours that are long past; how many rows. What is for ever stays."""
    before = timezone.now() - HOURS_KEPT
    old = {"hour__gt": EVER, "hour__lt": before}
    counts, _ = TaskTally.objects.filter(**old).delete()
    return counts + TaskTiming.objects.filter(**old).delete()[0] + rollups.forget()
