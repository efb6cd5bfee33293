"""What happened to tasks, as series over time: of a channel or of all.

Counts are those of the journal at this very moment: what is rolled up, and the events since. Waits
are those up to the last fold, a few seconds ago.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from tasks import rollups, tallies
from tasks.rollups import HOUR, MEASURES, MINUTE, NAMES, QUARTER
from tasks.states import Status
from tasks.tallies import BUCKETS, NEW

WAITS = (*BUCKETS, *rollups.LONGER)

RANGES: Mapping[str, tuple[int, int]] = {
    "1h": (MINUTE, 60),
    "24h": (QUARTER, 96),
    "7d": (HOUR, 168),
}
"""The seconds of a point, and how many points there are; the last one is not over yet."""

FIRST = f"{rollups.begun('%(span)s', 'now()')} - %(before)s * interval '1 second'"
ROLLED = "channel_id IS NULL", "channel_id = %(channel)s"
RECENT = "", "WHERE channel_id = %(channel)s"

# The events since the last fold are few. Two times `now()` is one moment.
COUNTS, COUNTS_OF_CHANNEL = (
    f"""
WITH recent AS ({tallies.happened(NEW)})
SELECT at, {", ".join(f"sum({name})::bigint" for name in MEASURES)} FROM (
  SELECT at, {NAMES} FROM tasks_taskrollup
  WHERE span = %(span)s AND {rolled} AND at >= {FIRST}
  UNION ALL
  SELECT at, {rollups.COUNTED} FROM (
    SELECT {rollups.begun("%(span)s", "created_at")} AS at, event, source, target
    FROM recent {of_channel}) moved
  WHERE at >= {FIRST} GROUP BY at) every
GROUP BY at"""  # noqa: S608
    for rolled, of_channel in zip(ROLLED, RECENT, strict=True)
)
WAITED, WAITED_IN_CHANNEL = (
    f"""
SELECT at, bucket, count FROM tasks_waitrollup
WHERE span = %(span)s AND {rolled} AND at >= {FIRST}"""  # noqa: S608
    for rolled in ROLLED
)
NOW = f"SELECT now(), {FIRST}"


@dataclass(frozen=True, slots=True)
class Series:
    """Points of `span` seconds, the first from `start` on; the last one lasts `until` now.

    `waiting` and `running` are the counts at the end of each point, the others what happened in it.
    """

    start: datetime
    until: datetime
    span: int
    done: Sequence[int]
    failed: Sequence[int]
    cancelled: Sequence[int]
    waiting: Sequence[int]
    running: Sequence[int]
    wait_p50: Sequence[float | None]
    wait_p95: Sequence[float | None]

    @property
    def ended(self) -> list[int]:
        """How many tasks ended in each point, however."""
        return [sum(one) for one in zip(self.done, self.failed, self.cancelled, strict=True)]


def read(wanted: str, channel: UUID | None = None) -> Series:
    """The series of one of `RANGES`."""
    span, points = RANGES[wanted]
    values = {"span": span, "before": span * (points - 1), "channel": channel}
    of_all = channel is None
    with connection.cursor() as cursor:
        cursor.execute(COUNTS if of_all else COUNTS_OF_CHANNEL, values)
        counted = {at: row for at, *row in cursor.fetchall()}
        cursor.execute(WAITED if of_all else WAITED_IN_CHANNEL, values)
        waited: dict[datetime, list[int]] = defaultdict(lambda: [0] * (len(WAITS) + 1))
        for at, bucket, count in cursor.fetchall():
            waited[at][bucket] += count
        cursor.execute(NOW, values)
        until, start = cursor.fetchone()
    ats = [start + timedelta(seconds=span * number) for number in range(points)]
    nothing = [0] * len(MEASURES)
    columns = zip(*(counted.get(at, nothing) for at in ats), strict=True)
    done, failed, cancelled, waiting, running = map(list, columns)
    present = _present(channel)
    return Series(
        start,
        until,
        span,
        done,
        failed,
        cancelled,
        _at_the_end(present[Status.QUEUED], waiting),
        _at_the_end(present[Status.IN_PROGRESS], running),
        [percentile(waited[at], 0.5, WAITS) if at in waited else None for at in ats],
        [percentile(waited[at], 0.95, WAITS) if at in waited else None for at in ats],
    )


def _present(channel: UUID | None) -> Mapping[str, int]:
    if channel is None:
        return tallies.by_status()
    found = tallies.by_channel_and_status(tallies.read())
    return {status: found.get((channel, status), 0) for status in Status.values}


def _at_the_end(present: int, differences: Sequence[int]) -> list[int]:
    """The count at the end of each point, from the present one back."""
    counts = []
    for difference in reversed(differences):
        counts.append(max(present, 0))
        present -= difference
    return counts[::-1]


def percentile(
    buckets: Sequence[int], share: float, bounds: Sequence[float] = BUCKETS
) -> float | None:
    """The seconds below which so many are, as if those of a bucket were spread evenly in it.

    Beyond the last bound it is that bound; None without any.
    """
    wanted = share * sum(buckets)
    if not wanted:
        return None
    lower = below = 0.0
    for bound, count in zip(bounds, buckets, strict=False):
        if below + count >= wanted:
            return round(lower + (bound - lower) * (wanted - below) / count, 4)
        lower, below = bound, below + count
    return bounds[-1]
