"""One of each process tells all people's pages that watch there: made once, encoded once.

    async with hub.join(cursor) as seat:
        told = await seat.next()

What the journal brings within a moment is gathered, so that a row that changed three times is told
once. A page that does not read loses its queue, not what was in it: it resumes in its turn.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, connection

from dashboard import deltas
from dashboard.deltas import Message, Numbers
from events import shutdown, tail
from events.tail import Batch, TailRow

T = TypeVar("T")

GATHER = 0.5  # seconds between two messages, at the least
NUMBERS_EVERY = 1.0
IDLE = 5.0
BREATH = 1.0  # until a database that went away is asked again
MOST_TOLD = 16  # messages that a page may leave lying

log = logging.getLogger("coordinator.console")

# The rows are read by one thread with a connection of its own, whoever watches.
_thread = ThreadPoolExecutor(1, thread_name_prefix="console")


@dataclass(frozen=True)
class Told:
    """A message as it goes over the wire, and the cursor that it brings."""

    cursor: int
    text: str

    @cached_property
    def as_event(self) -> bytes:
        """The same as a server-sent event."""
        return b"id: %d\ndata: %s\n\n" % (self.cursor, self.text.encode())


class Subscriber:
    """One who watches. `since`: go on after this cursor; None: from now on."""

    def __init__(self, hub: "Hub", since: int | None) -> None:
        self.hub = hub
        self.since = since
        self.must_resume = True
        self._told: deque[Told] = deque()
        self._stirred = asyncio.Event()

    async def next(self) -> Told | None:
        """The next message; the first comes at once. None: the process is about to stop."""
        while not self._told and not self.hub.ended:
            if self.must_resume:
                await self.hub.ready.wait()
                if not self.hub.ended:
                    return await self._resume()
            else:
                self._stirred.clear()
                await self._stirred.wait()
        return self._went(self._told.popleft()) if self._told else None

    async def _resume(self) -> Told:
        """What came before is read; what is told from here on waits meanwhile."""
        self.must_resume = False
        try:
            return self._went(await self.hub.resumed(self.since))
        except BaseException:
            self._fall_behind()
            raise

    def _went(self, told: Told) -> Told:
        self.since = told.cursor
        return told

    def offer(self, told: Told) -> None:
        if not self.must_resume:
            self._told.append(told)
            if len(self._told) > MOST_TOLD:
                self._fall_behind()
            self._stirred.set()

    def _fall_behind(self) -> None:
        self._told.clear()
        self.must_resume = True

    def stir(self) -> None:
        self._stirred.set()


class Hub:
    """Follows the journal for all slots of one event loop."""

    def __init__(self) -> None:
        self.slots: set[Subscriber] = set()
        self.cursor = 0
        self.ready = asyncio.Event()
        self.ended = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._resumes: dict[int, asyncio.Task[Told]] = {}
        self._owed_jobs: set[UUID] = set()
        self._numbers = Numbers({}, [])
        self._numbered_at = float("-inf")
        self._told_at = float("-inf")

    def enter(self, seat: Subscriber) -> None:
        self.slots.add(seat)
        if not self.tasks:
            self.ready.clear()
            self.ended = shutdown.has_begun()
            if self.ended:
                self.ready.set()
            self.tasks = {
                asyncio.create_task(self._follow(), name="console"),
                asyncio.create_task(self._end_at_shutdown(), name="console-end"),
            }

    async def leave(self, seat: Subscriber) -> None:
        self.slots.discard(seat)
        if not self.slots and self.tasks:
            ending: set[asyncio.Task[object]] = {*self.tasks, *self._resumes.values()}
            self.tasks = set()
            self._resumes.clear()
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)

    async def resumed(self, since: int | None) -> Told:
        """What one who saw everything up to `since` has missed; the same for all who ask now.

        It is read after whatever has been told, and what is told later reaches who asks.
        """
        if since is None:
            return Told(self.cursor, f'{{"cursor":"{self.cursor}"}}')
        if since not in self._resumes:
            cursor = self.cursor
            reading = self._until_read(lambda: Told(cursor, deltas.resumed(since, cursor=cursor)))
            self._resumes[since] = asyncio.create_task(reading, name="console-resume")
        return await asyncio.shield(self._resumes[since])

    async def _end_at_shutdown(self) -> None:
        await shutdown.wait()
        self.ended = True
        self.ready.set()
        for seat in self.slots:
            seat.stir()

    async def _follow(self) -> None:
        since: int | None = None
        while not shutdown.has_begun():
            async with tail.watch(since) as watching:
                first = await watching.next()
                if first is None:
                    continue
                if since is None:
                    self.cursor = first.cursor
                    self.ready.set()
                batches: list[Batch] | None = [first]
                while batches is not None:
                    if any(batch.lines or not batch.complete for batch in batches):
                        await self._tell(batches)
                    elif not batches and self._number_is_due():
                        await self._tell([])
                    since = self.cursor
                    batches = await self._gather(watching)

    async def _gather(self, watching: tail.Watching) -> list[Batch] | None:
        """What comes within a moment; none when nothing does for long. None: watch anew."""
        batches: list[Batch] = []
        owes = bool(self._owed_jobs) or self._numbered_at < self._told_at
        with suppress(TimeoutError):
            async with asyncio.timeout(NUMBERS_EVERY if owes else IDLE):
                batch = await watching.next()
                if batch is None:
                    return None
                batches.append(batch)
            until = asyncio.get_running_loop().time() + self._told_at + GATHER - time.monotonic()
            async with asyncio.timeout_at(until):
                while (batch := await watching.next()) is not None:
                    batches.append(batch)
        return batches

    def _number_is_due(self) -> bool:
        return time.monotonic() - self._numbered_at >= NUMBERS_EVERY

    async def _tell(self, batches: Sequence[Batch]) -> None:
        lines = [line for batch in batches for line in batch.lines]
        complete = all(batch.complete for batch in batches)
        cursor = batches[-1].cursor if batches else self.cursor
        text = await self._until_read(lambda: self._made(lines, cursor, complete=complete))
        self._told_at = time.monotonic()
        self.cursor = cursor
        if text:
            # Whoever resumes from now on reads anew, and after this.
            self._resumes.clear()
            told = Told(cursor, text)
            for seat in self.slots:
                seat.offer(told)

    def _made(self, lines: Sequence[TailRow], cursor: int, *, complete: bool) -> str:
        """The message, in the thread; "" when there is nothing to say."""
        touched = deltas.touched_by(lines)
        # A job's row is read no more often than the numbers: each of its tasks touches it.
        self._owed_jobs |= touched.jobs
        due = self._number_is_due()
        touched.jobs = set(self._owed_jobs) if due else set()
        numbers = deltas.numbers() if due else None
        news = self._news(numbers) if numbers else {}
        if lines or not complete or touched.jobs or news:
            text = deltas.message(lines, touched, cursor=cursor, complete=complete, numbers=news)
        else:
            text = ""
        if numbers:
            self._owed_jobs.clear()
            self._numbers = numbers
            self._numbered_at = time.monotonic()
        return text

    def _news(self, numbers: Numbers) -> Message:
        """What of the numbers has changed since they were told last."""
        news: Message = {}
        if numbers.without_time() != self._numbers.without_time():
            news["counters"] = numbers.counters
        if changed := [row for row in numbers.channels if row not in self._numbers.channels]:
            news["channels"] = changed
        return news

    async def _until_read(self, read: Callable[[], T]) -> T:
        while True:
            try:
                return await in_thread(read)
            except (DatabaseError, InterfaceError) as problem:
                log.warning("The rows cannot be read.", extra={"problem": str(problem)})
                await asyncio.sleep(BREATH)


async def in_thread(read: Callable[[], T]) -> T:
    """Run it in the thread that reads; a connection that broke is not kept."""

    def call() -> T:
        try:
            return read()
        except (DatabaseError, InterfaceError):
            connection.close()
            raise

    return await asyncio.get_running_loop().run_in_executor(_thread, call)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def cursor_of_now() -> int:
    """A cursor from which nothing is missed that this thread has not read already."""
    for hub in list(_hubs.values()):
        if hub.tasks and hub.ready.is_set():
            return hub.cursor
    return deltas.cursor_of_now()


@asynccontextmanager
async def join(since: int | None = None) -> AsyncIterator[Subscriber]:
    """Be told of all that happens after the cursor `since`, or from now on, in the block."""
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    seat = Subscriber(hub, since)
    hub.enter(seat)
    try:
        yield seat
    finally:
        await hub.leave(seat)
