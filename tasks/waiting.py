"""Claims that wait: all those of one process stand in one line, and look when there is cause.

A claim listens before its first look, so nothing that becomes ready in between is missed. When
PostgreSQL says that a channel may have something (see ready.py), one cheap query for all who wait
tells how much there is, and only so many look, the longest waiting first: with a hundred agents
in line, a hundred claims for one new task would cost more than the task. One who looks in vain,
being bound elsewhere or too late, passes the turn on. Every two seconds the same query is asked
without cause, for what no notification tells. Between looks nobody holds a thread, a connection or
a transaction.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import Error, close_old_connections
from psycopg import sql

from events import direct, shutdown
from tasks import queue
from tasks.models import Task
from tasks.ready import CHANNEL

THREADS = 2
LOOK_AGAIN = 2.0
# An agent in line looks for itself this often too, which renews its presence (online: 30 s).
SHOW_UP = 10.0
BREATH = 1.0  # seconds until a database that went away is asked again
BURST = 0.01  # seconds in which notifications that follow one another count as one
LINGER = 30.0  # seconds that the line is kept up when nobody stands in it

log = logging.getLogger("coordinator.waiting")
pool = ThreadPoolExecutor(THREADS, thread_name_prefix="waiting-claims")

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Place:
    """A claim's place in the line. `round`: the last one in which it has looked, or is about to.

    `sent`: the line counts on it to look, or to pass the turn on.
    """

    agent_id: str
    channels: frozenset[UUID]
    woken: asyncio.Event
    round: int = 0
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """How many tasks are ready in each channel, and for whom some are kept."""

    free: dict[UUID, int]
    kept_for: frozenset[str]


class Line:
    """Those who wait in one event loop, in the order in which they came."""

    def __init__(self) -> None:
        self.places: dict[Place, None] = {}
        self.round = 0
        self.stirred: set[UUID] = set()
        self.new_round = False
        self.stir = asyncio.Event()
        self.listening = asyncio.Event()
        self.running: asyncio.Task[None] | None = None

    async def enter(self, place: Place) -> None:
        """Stand in line; returns once notifications are heard, or when they cannot be for now."""
        self.places[place] = None
        place.round = self.round
        if self.running is None:
            self.listening = asyncio.Event()
            self.running = asyncio.create_task(self._run(self.listening), name="waiting-claims")
        with suppress(TimeoutError):
            async with asyncio.timeout(BREATH):
                await self.listening.wait()

    def leave(self, place: Place) -> None:
        del self.places[place]
        if place.sent:
            self.pass_on(place.channels)

    def notify(self, channels: Collection[UUID]) -> None:
        """These channels may have something new: everybody may look once more."""
        self.new_round = True
        self.pass_on(channels)

    def pass_on(self, channels: Collection[UUID]) -> None:
        """Somebody was sent to these channels in vain: let others, who were not, try."""
        self.stirred.update(channels)
        self.stir.set()

    async def _run(self, listening: asyncio.Event) -> None:
        beside = {
            asyncio.create_task(self._listen(listening), name="waiting-claims-listen"),
            asyncio.create_task(self._end_at_shutdown(), name="waiting-claims-end"),
        }
        try:
            await self._look_after()
        finally:
            # Whoever comes from here on starts anew, so there is no await before this.
            self.running = None
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def _listen(self, listening: asyncio.Event) -> None:
        """Hear notifications on one connection; what was missed without it is looked for."""
        while True:
            try:
                async with await direct.connect() as listener:
                    await listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    listening.set()
                    self.notify(self._watched())
                    async for heard in listener.notifies():
                        with suppress(ValueError):  # anybody may notify of anything
                            self.notify([UUID(heard.payload)])
            except psycopg.Error as problem:
                if listening.is_set():
                    log.warning("No notifications.", extra={"problem": str(problem)})
                listening.clear()
                await asyncio.sleep(BREATH)

    async def _end_at_shutdown(self) -> None:
        await shutdown.wait()
        for place in self.places:
            place.woken.set()

    async def _look_after(self) -> None:
        """Wake those in line when there is something for them, until nobody has come for long."""
        loop = asyncio.get_running_loop()
        next_look = last_seen = loop.time()
        while loop.time() < last_seen + LINGER:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_look):
                    await self.stir.wait()
            self.stir.clear()
            if loop.time() >= next_look:
                self.stirred = self._watched()
                self.new_round = True
                next_look = loop.time() + LOOK_AGAIN
            if self.places:
                last_seen = loop.time()
                await self._peek()
                await asyncio.sleep(BURST)

    async def _peek(self) -> None:
        """See what there is in the channels stirred, and wake as many as it is enough for."""
        channels, self.stirred = self.stirred & self._watched(), set()
        if self.new_round:
            self.round += 1
            self.new_round = False
        if not channels:
            return
        untried = [place for place in self.places if place.round < self.round]
        agents = {place.agent_id for place in untried if place.channels & channels}
        if not agents:
            return
        try:
            found = await in_thread(partial(peek, channels, agents))
        except Error as problem:
            # Those in line look for themselves now and then, and are told of it there.
            log.warning("The line cannot be served.", extra={"problem": str(problem)})
            return
        self._wake(untried, found)

    def _wake(self, untried: Sequence[Place], found: Found) -> None:
        left = dict(found.free)
        for place in untried:
            channel = next((one for one in place.channels if left.get(one)), None)
            if channel:
                left[channel] -= 1
            if channel or place.agent_id in found.kept_for:
                place.round = self.round
                place.sent = True
                place.woken.set()

    def _watched(self) -> set[UUID]:
        return {channel for place in self.places for channel in place.channels}


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()


@asynccontextmanager
async def _place(agent_id: str, channels: Collection[UUID]) -> AsyncIterator[tuple[Line, Place]]:
    line = _lines.setdefault(asyncio.get_running_loop(), Line())
    place = Place(agent_id, frozenset(channels), asyncio.Event())
    try:
        await line.enter(place)
        yield line, place
    finally:
        line.leave(place)


async def claim(
    look: Callable[[], Sequence[T]],
    *,
    agent_id: str,
    channels: Callable[[], Collection[UUID]],
    seconds: float,
) -> Sequence[T]:
    """What `look` finds, as soon as it finds something; nothing when the time is up.

    `look` is the claim itself, `channels` says where it looks; both ask the database, in one of
    a few threads that keep their connections. Looking first and last renews the agent's presence.
    Whoever is cancelled has claimed nothing, unless it was just being given something. When the
    process is about to stop the answer is nothing, at once.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    if not seconds:
        return await in_thread(look)
    async with _place(agent_id, await in_thread(channels)) as (line, place):
        while not shutdown.has_begun():
            place.woken.clear()
            tasks: Sequence[T] = []
            sent, place.sent = place.sent, False
            try:
                tasks = await in_thread(look)
            finally:
                if sent and not tasks:
                    line.pass_on(place.channels)
            left = until - loop.time()
            if tasks or left <= 0:
                return tasks
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, SHOW_UP)):
                    await place.woken.wait()
    return []


def peek(channels: Collection[UUID], agents: Collection[str]) -> Found:
    """What there is for these agents in these channels; not much more than agents is counted."""
    free = queue.counts(channels, len(agents))
    kept = Task.objects.ready().filter(
        reserved_for__in=agents, channel__in=channels, channel__paused_at=None
    )
    return Found(
        free=free,
        kept_for=frozenset(kept.values_list("reserved_for", flat=True)),
    )


async def in_thread(call: Callable[[], T]) -> T:
    """Let one of the few threads ask the database; a call that has not begun can be cancelled."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, copy_context().run, _with_live_connection, call)


def _with_live_connection(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
