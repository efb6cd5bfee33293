"""Counters from indexes alone: cheap however many tasks there are."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from django.db import connection

from agents.models import Agent
from tasks import queue, tallies
from tasks.models import Channel
from tasks.states import Status

T = TypeVar("T")

KEPT_FOR = 1.0  # seconds
MINUTES = 60
MOST_COUNTED = 1_000  # ready tasks of a channel
MOST_FAILURES = 2_000

OLDEST = """
SELECT created_at FROM tasks_task WHERE status = 'queued' AND agent_id IS NULL
ORDER BY status, agent_id, id LIMIT 1"""

FAILURES = """
SELECT (SELECT count(*) FROM (
    SELECT FROM tasks_task WHERE dead_letter <> '' AND finished_at > now() - interval '1 hour'
    LIMIT %(most)s) late),
  (SELECT count(*) FROM (SELECT FROM tasks_task WHERE dead_letter <> '' LIMIT %(most)s) ever),
  now()"""

# Walks the index on finished_at, over the minutes that are not known yet.
ENDED = """
SELECT date_trunc('minute', finished_at), count(*) FROM tasks_task
WHERE finished_at >= %s AND finished_at IS NOT NULL GROUP BY 1"""

OPEN_CHAINS = """
SELECT channel_id, count(*) FROM chains_chain
WHERE status IN ('queued', 'in_progress', 'locked') GROUP BY 1"""

ACTIVE = (Status.IN_PROGRESS, Status.LOCKED)
MOST_CHANNELS = 500

Counts = dict[str, object]


class Kept(Generic[T]):
    """A value that one thread at a time makes, and that is kept for a second."""

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make
        self.lock = threading.Lock()
        self.made_at = float("-inf")
        self.value: T | None = None

    def read(self) -> T:
        with self.lock:
            if self.value is None or time.monotonic() - self.made_at >= KEPT_FOR:
                self.value = self.make()
                self.made_at = time.monotonic()
            return self.value

    def forget(self) -> None:
        """Make it again at the next read."""
        self.made_at = float("-inf")


class Pace:
    """How many tasks ended in each of the last sixty minutes; each past minute is counted once."""

    def __init__(self) -> None:
        self.minutes: dict[datetime, int] = {}
        self.counted_from: datetime | None = None

    def read(self, now: datetime) -> list[float]:
        """Tasks ended per second, minute by minute, the present one last."""
        present = now.replace(second=0, microsecond=0)
        first = present - timedelta(minutes=MINUTES - 1)
        since = max(first, self.counted_from or first)
        with connection.cursor() as cursor:
            cursor.execute(ENDED, [since])
            found = dict(cursor.fetchall())
        kept = {at: count for at, count in self.minutes.items() if first <= at < since}
        self.minutes = kept | found
        # A transaction that has not committed yet may still end tasks in the minute before.
        self.counted_from = present - timedelta(minutes=1)
        paces = [
            self.minutes.get(first + timedelta(minutes=number), 0) / 60 for number in range(MINUTES)
        ]
        paces[-1] *= 60 / max((now - present).total_seconds(), 1.0)
        return [round(pace, 3) for pace in paces]


_pace = Pace()


def _counters() -> Counts:
    agents = Agent.objects.all()
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        oldest = cursor.fetchone()
        cursor.execute(FAILURES, {"most": MOST_FAILURES})
        [(late, ever, now)] = cursor.fetchall()
    return {
        "at": now,
        "agents_online": agents.online().count(),
        "agents_total": agents.count(),
        "tasks": tallies.by_status(),
        "estimated": [],  # all are exact
        "oldest_waiting_at": oldest[0] if oldest else None,
        "failures_last_hour": late,
        "dead_letters": ever,
        "rate": _pace.read(now),
    }


def _channels() -> dict[UUID, Counts]:
    """For each channel how many tasks are ready, in progress and locked."""
    ids = Channel.objects.order_by("pk").values_list("pk", flat=True)[:MOST_CHANNELS]
    ready = queue.counts(list(ids), MOST_COUNTED)
    found = {
        channel: {"ready": min(count, MOST_COUNTED), "in_progress": 0, "locked": 0, "chains": 0}
        for channel, count in ready.items()
    }
    more = {channel for channel, count in ready.items() if count >= MOST_COUNTED}
    for (channel, status), number in tallies.by_channel_and_status(tallies.read()).items():
        if channel in found and status in ACTIVE:
            found[channel][status] = number
    with connection.cursor() as cursor:
        cursor.execute(OPEN_CHAINS)
        for channel, number in cursor.fetchall():
            if channel in found:
                found[channel]["chains"] = number
    return {
        channel: {"counts": counts} | ({"more": ["ready"]} if channel in more else {})
        for channel, counts in found.items()
    }


counters = Kept(_counters)
channels = Kept(_channels)
