"""Counters from indexes, tallies and rollups: cheap however many tasks there are."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db import connection

from agents.models import Agent
from tasks import queue, series, tallies
from tasks.channel_verbs import has_ready
from tasks.models import Channel
from tasks.states import Status

T = TypeVar("T")

KEPT_FOR = 1.0  # seconds
MOST_COUNTED = 1_000  # ready tasks of a channel

OPEN_CHAINS = """
SELECT channel_id, count(*) FROM chains_chain
WHERE status IN ('queued', 'in_progress', 'locked') GROUP BY 1"""

ACTIVE = (Status.IN_PROGRESS, Status.LOCKED)
MOST_CHANNELS = 500

Counts = dict[str, object]


class Kept(Generic[T]):
    """A value that one thread at a time makes, and that is kept for a second, or as it says."""

    def __init__(self, make: Callable[[], T], kept_for: float = KEPT_FOR) -> None:
        self.make = make
        self.kept_for = kept_for
        self.lock = threading.Lock()
        self.made_at = float("-inf")
        self.value: T | None = None

    def read(self) -> T:
        with self.lock:
            if self.value is None or time.monotonic() - self.made_at >= self.kept_for:
                self.value = self.make()
                self.made_at = time.monotonic()
            return self.value

    def forget(self) -> None:
        """Make it again at the next read."""
        self.made_at = float("-inf")


def _counters() -> Counts:
    """Each number as docs/console.md defines it: what happened is what the journal counts."""
    agents = Agent.objects.all()
    status = tallies.by_status()
    hour = series.read("1h")
    return {
        "at": hour.until,
        "agents_online": agents.online().count(),
        "agents_total": agents.count(),
        "tasks": status,
        "estimated": [],  # all are exact
        "oldest_waiting_at": min(waits.read().values(), default=None),
        "failures_last_hour": sum(hour.failed),
        "dead_letters": status[Status.FAILED],
        "rate": _paces(hour),
        "trends": {
            "waiting": hour.waiting,
            "running": hour.running,
            "ended": hour.ended,
            "failed": hour.failed,
        },
    }


def _paces(hour: series.Series) -> list[float]:
    """Tasks ended per second, minute by minute; of the present minute, in its seconds so far."""
    paces = [ended / hour.span for ended in hour.ended]
    begun = (hour.until - hour.start).total_seconds() % hour.span
    paces[-1] *= hour.span / max(begun, 1.0)
    return [round(pace, 3) for pace in paces]


def named() -> Sequence[Channel]:
    """The channels that pages show."""
    return list(Channel.objects.order_by("id")[:MOST_CHANNELS])


def _waits() -> Mapping[UUID, datetime]:
    """For each channel since when a task of it could have been claimed, the longest of all."""
    ids = Channel.objects.order_by("pk").values_list("pk", flat=True)[:MOST_CHANNELS]
    return queue.waiting_since(list(ids))


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
    giving = Channel.objects.filter(has_ready(), pk__in=found).values_list("pk", flat=True)
    ready_now = set(giving)
    return {
        channel: {"counts": counts}
        | ({"more": ["ready"]} if channel in more else {})
        | ({"ready": True} if channel in ready_now else {})
        for channel, counts in found.items()
    }


counters = Kept(_counters)
channels = Kept(_channels)
waits = Kept(_waits)
