"""What happens to jobs and workers, for all who watch in this process.

    async with bus.join() as subscriber:
        with bus.watching([channel]): ...
        delivery = await subscriber.next()

The journal's follower says what is new. Only what somebody watches is looked up, for all at once;
it is encoded once for all. A broadcast is never the only copy: whoever was away reads it again by
`channels.missed`. Presence alone is kept nowhere: it is read again every few seconds.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from weakref import WeakKeyDictionary

from collab import presence
from collab.broadcasts import AGENTS, concerns, of_agent
from collab.happenings import Happening, Told, happenings
from events import shutdown, tail
from events.models import Event
from events.reading import ReadingThread
from events.subscribers import Publisher, Subscriber
from events.tail import Batch, TailRow

MOST_DELIVERIES = 64
UNSTIRRING = frozenset({"task.progress", "task.lease_renewed"})
"""These change nothing about the presence of a worker and what it holds."""

log = logging.getLogger("coordinator.realtime")
thread = ReadingThread("realtime", log)


@dataclass(frozen=True, eq=False)
class Delivery:
    """What is new. Not `complete`: more has happened than it shows, so read the journal again."""

    cursor: int
    happenings: Sequence[Happening] = ()
    present: Mapping[str, Sequence[Told]] = field(default_factory=dict)
    complete: bool = True

    @cached_property
    def told(self) -> Mapping[str, Sequence[Told]]:
        """What is sent in each channel, in the order of the journal."""
        by_channel: dict[str, list[Told]] = {}
        for happening in self.happenings:
            for channel, told in happening.told:
                by_channel.setdefault(channel, []).append(told)
        for channel, more in self.present.items():
            by_channel.setdefault(channel, []).extend(more)
        return by_channel


class Bus(Publisher[Delivery]):
    """Follows the journal for all subscribers of one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cursor: int | None = None
        self.watched: Counter[str] = Counter()
        self._metered: dict[str, datetime] = {}

    def work(self) -> Mapping[str, Coroutine[None, None, None]]:
        self.cursor = None
        return {
            "realtime": self._follow(),
            "realtime-greeter": self._greet(),
            "realtime-presence": self._look_around(),
        }

    async def _follow(self) -> None:
        while not shutdown.has_begun():
            async with tail.watch(self.cursor) as journal:
                while (batch := await journal.next()) is not None:
                    await self._pass_on(batch)

    async def _pass_on(self, batch: Batch) -> None:
        picked = [row.id for row in batch.rows if self._is_watched(row)]
        found = await thread.until_read(lambda: read(picked)) if picked else []
        present = await self._present(_stirred(found) & self._agents()) if found else {}
        delivery = Delivery(batch.cursor, found, present, batch.complete)
        self.cursor = batch.cursor
        self.newcomer.set()
        self.publish(delivery, [one for one in self.subscribers if one.greeted])

    async def _greet(self) -> None:
        """Say to newcomers from where on they are told."""
        while True:
            await self.newcomer.wait()
            self.newcomer.clear()
            if self.cursor is not None:
                self.publish(Delivery(self.cursor), self.newcomers())

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(presence.EVERY)
            agents = self._agents()
            if agents and self.cursor is not None:
                present = await self._present(agents)
                greeted = [one for one in self.subscribers if one.greeted]
                self.publish(Delivery(self.cursor, present=present), greeted)

    async def _present(self, agents: set[str]) -> Mapping[str, Sequence[Told]]:
        """How the agents are, with what their heartbeats have said since the last time."""
        if not agents:
            return {}
        found = await thread.until_read(lambda: presence.read(agents))
        return {of_agent(name): list(self._of(one)) for name, one in found.items()}

    def _of(self, one: presence.Presence) -> Iterator[Told]:
        yield one.told
        if self._metered.get(one.agent_id) != one.last_seen_at:
            self._metered[one.agent_id] = one.last_seen_at
            yield one.metrics

    def _is_watched(self, row: TailRow) -> bool:
        return any(channel in self.watched for channel in concerns(row))

    def _agents(self) -> set[str]:
        prefix = of_agent("")
        return {one.removeprefix(prefix) for one in self.watched if one.startswith(prefix)}

    @contextmanager
    def watching(self, channels: Iterable[str]) -> Iterator[None]:
        """Look up what happens in these channels, while the block lasts."""
        names = list(channels)
        for name in names:
            self.watch(name)
        try:
            yield
        finally:
            for name in names:
                self.unwatch(name)

    def watch(self, channel: str) -> None:
        self.watched[channel] += 1

    def unwatch(self, channel: str) -> None:
        self.watched[channel] -= 1
        if not self.watched[channel]:
            del self.watched[channel]
            if channel.startswith(AGENTS):
                self._metered.pop(channel.removeprefix(of_agent("")), None)


def read(ids: Sequence[int]) -> list[Happening]:
    return list(happenings(Event.objects.filter(pk__in=ids).order_by("pk")))


def _stirred(found: Iterable[Happening]) -> set[str]:
    """The agents whose presence, or what they hold, may have changed."""
    events = (one.event for one in found if one.event.type not in UNSTIRRING)
    return {event.agent_id for event in events if event.agent_id}


_buses: WeakKeyDictionary[asyncio.AbstractEventLoop, Bus] = WeakKeyDictionary()


def here() -> Bus:
    """That of this event loop."""
    return _buses.setdefault(asyncio.get_running_loop(), Bus())


def join() -> AbstractAsyncContextManager[Subscriber[Delivery]]:
    """A subscriber to all that happens from now on, in the block."""
    return here().subscribed(None, MOST_DELIVERIES)
