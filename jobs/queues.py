"""Queues for autoscalers: what waits and runs in each, and how many runners would be busy now."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from agents.models import Agent, Protocol
from tasks import queue
from tasks.models import Channel, Task

MOST = 500
MOST_COUNTED = 10_000  # waiting tasks of a queue


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue at this moment."""

    name: str
    channel_id: UUID
    waiting: int
    running: int
    runners: int
    paused_at: datetime | None

    @property
    def more(self) -> bool:
        return self.waiting >= MOST_COUNTED

    @property
    def desired(self) -> int:
        """Runners that would be busy, if each runs one task at a time."""
        return self.running + (0 if self.paused_at else self.waiting)


def states(channels: Sequence[Channel]) -> list[QueueState]:
    """Each of these channels as a queue; so many statements for any number."""
    ids = [channel.pk for channel in channels]
    waiting = queue.counts(ids, MOST_COUNTED)
    held = Task.objects.in_progress().filter(channel__in=ids).order_by()
    running = dict(held.values_list("channel").annotate(Count("pk")))
    present = Agent.objects.online().filter(draining=False, protocol=Protocol.PLAIN)
    runners = Counter(
        name.lower() for names in present.values_list("subscriptions", flat=True) for name in names
    )
    return [
        QueueState(
            channel.name,
            channel.pk,
            min(waiting.get(channel.pk, 0), MOST_COUNTED),
            running.get(channel.pk, 0),
            runners[channel.name.lower()],
            channel.paused_at,
        )
        for channel in channels
    ]
