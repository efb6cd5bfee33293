"""Messages for the pages that watch this process: each made once and encoded once for all.

    async with hub.join(cursor) as subscriber:
        message = await subscriber.next()

What the journal brings within a moment is gathered, so that a row that changed three times is sent
once.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID
from weakref import WeakKeyDictionary

from dashboard import deltas
from dashboard.deltas import Message, Numbers
from events import shutdown, tail
from events.reading import ReadingThread
from events.subscribers import Publisher, Subscriber
from events.tail import Batch, TailRow

GATHER = 0.5  # seconds between two messages at least
NUMBERS_EVERY = 1.0
IDLE = 5.0
MOST_MESSAGES = 16  # that wait for a page to take them

log = logging.getLogger("coordinator.console")

thread = ReadingThread("console", log)


@dataclass(frozen=True)
class LiveMessage:
    """A message as it goes over the wire, and its cursor."""

    cursor: int
    text: str

    @cached_property
    def as_event(self) -> bytes:
        """The same as a server-sent event."""
        return b"id: %d\ndata: %s\n\n" % (self.cursor, self.text.encode())


class Hub(Publisher[LiveMessage]):
    """Follows the journal for all pages of one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self.ready = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._owed_jobs: set[UUID] = set()
        self._numbers = Numbers({}, [])
        self._numbered_at = float("-inf")
        self._sent_at = float("-inf")

    def work(self) -> Mapping[str, Coroutine[None, None, None]]:
        self.ready.clear()
        return {"console": self._follow(), "console-greeter": self._greet()}

    async def _greet(self) -> None:
        """Send newcomers what they missed; those from the same place share one message.

        Nothing else is published between reading that and sending it.
        """
        await self.ready.wait()
        while True:
            await self.newcomer.wait()
            self.newcomer.clear()
            for since in {one.since for one in self.newcomers()}:
                async with self._publishing:
                    message = await self._missed(since)
                    self.publish(message, [one for one in self.newcomers() if one.since == since])

    async def _missed(self, since: int | None) -> LiveMessage:
        cursor = self.cursor
        if since is None:
            return LiveMessage(cursor, f'{{"cursor":"{cursor}"}}')
        text = await thread.until_read(lambda: deltas.resumed(since, cursor=cursor))
        return LiveMessage(cursor, text)

    async def _follow(self) -> None:
        since: int | None = None
        while not shutdown.has_begun():
            async with tail.watch(since) as journal:
                first = await journal.next()
                if first is None:
                    continue
                if since is None:
                    self.cursor = first.cursor
                    self.ready.set()
                batches: list[Batch] | None = [first]
                while batches is not None:
                    if any(batch.rows or not batch.complete for batch in batches):
                        await self._send(batches)
                    elif not batches and self._number_is_due():
                        await self._send([])
                    since = self.cursor
                    batches = await self._gather(journal)

    async def _gather(self, journal: Subscriber[Batch]) -> list[Batch] | None:
        """What comes within a moment; empty after a long quiet. None: subscribe again."""
        batches: list[Batch] = []
        owes = bool(self._owed_jobs) or self._numbered_at < self._sent_at
        with suppress(TimeoutError):
            async with asyncio.timeout(NUMBERS_EVERY if owes else IDLE):
                batch = await journal.next()
                if batch is None:
                    return None
                batches.append(batch)
            until = asyncio.get_running_loop().time() + self._sent_at + GATHER - time.monotonic()
            async with asyncio.timeout_at(until):
                while (batch := await journal.next()) is not None:
                    batches.append(batch)
        return batches

    def _number_is_due(self) -> bool:
        return time.monotonic() - self._numbered_at >= NUMBERS_EVERY

    async def _send(self, batches: Sequence[Batch]) -> None:
        rows = [row for batch in batches for row in batch.rows]
        complete = all(batch.complete for batch in batches)
        cursor = batches[-1].cursor if batches else self.cursor
        async with self._publishing:
            text = await thread.until_read(lambda: self._made(rows, cursor, complete=complete))
            self._sent_at = time.monotonic()
            self.cursor = cursor
            if text:
                greeted = [one for one in self.subscribers if one.greeted]
                self.publish(LiveMessage(cursor, text), greeted)

    def _made(self, rows: Sequence[TailRow], cursor: int, *, complete: bool) -> str:
        """The message, made in the thread; "" when nothing has changed."""
        touched = deltas.touched_by(rows)
        # A job's row is read no more often than the numbers: each of its tasks touches it.
        self._owed_jobs |= touched.jobs
        due = self._number_is_due()
        touched.jobs = set(self._owed_jobs) if due else set()
        numbers = deltas.numbers() if due else None
        news = self._news(numbers) if numbers else {}
        if rows or not complete or touched.jobs or news:
            text = deltas.message(rows, touched, cursor=cursor, complete=complete, numbers=news)
        else:
            text = ""
        if numbers:
            self._owed_jobs.clear()
            self._numbers = numbers
            self._numbered_at = time.monotonic()
        return text

    def _news(self, numbers: Numbers) -> Message:
        """What has changed in the numbers since they were sent."""
        news: Message = {}
        if numbers.without_time() != self._numbers.without_time():
            news["counters"] = numbers.counters
        if changed := [row for row in numbers.channels if row not in self._numbers.channels]:
            news["channels"] = changed
        if numbers.attention != self._numbers.attention:
            news["attention"] = numbers.attention
        return news


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def cursor_of_now() -> int:
    """A cursor: all that comes after it has not been read by this thread yet."""
    for hub in list(_hubs.values()):
        if hub.tasks and hub.ready.is_set():
            return hub.cursor
    return deltas.cursor_of_now()


def join(since: int | None = None) -> AbstractAsyncContextManager[Subscriber[LiveMessage]]:
    """A subscriber to all that happens after the cursor `since`, or from now on, in the block."""
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    return hub.subscribed(since, MOST_MESSAGES)
