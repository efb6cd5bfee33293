"""The journal counted in spans of time, for series: minutes, quarters of an hour, hours.

The fold of the tallies writes them in the statements that it reads the events with, so they count
what it counts. Each span is kept as long as a series of it reaches back, for every channel and for
all of them at once: a series reads one row for each of its points.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.utils import timezone

from tasks.tally_models import TaskRollup, WaitRollup

MINUTE, QUARTER, HOUR = 60, 900, 3600
KEPT: Mapping[int, timedelta] = {
    MINUTE: timedelta(hours=3),
    QUARTER: timedelta(hours=26),
    HOUR: timedelta(days=8),
}
"""How long the counts of each span, in seconds, are kept."""

LONGER = (1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0)
"""The bounds of waits beyond those of the tallies: people want to know how long is too long."""

ORIGIN = "'1970-01-01 00:00:00+00'::timestamptz"
SPANS = f"(VALUES {', '.join(f'({span})' for span in KEPT)}) AS s (span)"


def begun(span: str, moment: str) -> str:
    """When the span began in which this moment is, as SQL."""
    return f"date_bin({span} * interval '1 second', {moment}, {ORIGIN})"


MEASURES: Mapping[str, str] = {
    "done": "count(*) FILTER (WHERE target = 'done')",
    "failed": "count(*) FILTER (WHERE event = 'task.failed')",
    "cancelled": "count(*) FILTER (WHERE target = 'cancelled')",
    "waiting": "count(*) FILTER (WHERE target = 'queued')"
    " - count(*) FILTER (WHERE source = 'queued')",
    "running": "count(*) FILTER (WHERE target = 'in_progress')"
    " - count(*) FILTER (WHERE source = 'in_progress')",
}
"""What each column counts of the events of tasks, as SQL."""
NAMES = ", ".join(MEASURES)
COUNTED = ", ".join(f"{measure} AS {name}" for name, measure in MEASURES.items())
ADDED = ", ".join(f"{name} = r.{name} + EXCLUDED.{name}" for name in MEASURES)

COUNTS = f"""
INSERT INTO tasks_taskrollup AS r (span, at, channel_id, {NAMES})
SELECT span, at, channel_id, {COUNTED} FROM (
  SELECT s.span, {begun("s.span", "e.created_at")} AS at, e.channel_id, e.event, e.source, e.target
  FROM typed e CROSS JOIN {SPANS} WHERE e.source <> '' OR e.target <> '') moved
GROUP BY GROUPING SETS ((span, at, channel_id), (span, at))
ON CONFLICT (span, channel_id, at) DO UPDATE SET {ADDED}"""  # noqa: S608
"""Adds the events `typed` of a statement."""


def waits(bounds: Sequence[float]) -> str:
    """SQL that adds what `took` how long, with these bounds and the longer ones."""
    listed = ", ".join(map(str, (*bounds, *LONGER)))
    return f"""
INSERT INTO tasks_waitrollup AS r (span, at, channel_id, bucket, count)
SELECT span, at, channel_id, bucket, count(*) FROM (
  SELECT s.span, {begun("s.span", "e.created_at")} AS at, e.channel_id,
    width_bucket(e.seconds, ARRAY[{listed}]::float8[]) AS bucket
  FROM took e CROSS JOIN {SPANS} WHERE e.phase = 'queue') waited
GROUP BY GROUPING SETS ((span, at, channel_id, bucket), (span, at, bucket))
ON CONFLICT (span, channel_id, at, bucket) DO UPDATE SET count = r.count + EXCLUDED.count"""  # noqa: S608


def forget() -> int:
    """Delete the counts of spans that no series reaches back to; how many rows."""
    now, deleted = timezone.now(), 0
    for span, kept in KEPT.items():
        old = {"span": span, "at__lt": now - kept}
        deleted += TaskRollup.objects.filter(**old).delete()[0]
        deleted += WaitRollup.objects.filter(**old).delete()[0]
    return deleted
