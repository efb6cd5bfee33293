"""One publisher for each event loop, which works only while it has subscribers.

    async with publisher.subscribed(cursor, most) as subscriber:
        item = await subscriber.next()

An item has a cursor: a subscriber that goes on from there misses nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, Protocol, TypeVar

from accounts.watch import Watch, calling, is_over
from events import shutdown


class Item(Protocol):
    @property
    def cursor(self) -> int: ...


T = TypeVar("T", bound=Item)


class Subscriber(Generic[T]):
    """A queue of at most so many items; it closes when its reader falls behind.

    `since`: the cursor to go on from; None: from now on.
    """

    def __init__(self, since: int | None, most: int) -> None:
        self.since = since
        self.greeted = False
        self.is_open = True
        self._most = most
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()

    async def next(self) -> T | None:
        """The next item; the first comes at once, with what was missed or with nothing.

        None: no more will come, because the reader fell behind or the process is about to stop.
        """
        while not self._items and self.is_open:
            self._changed.clear()
            await self._changed.wait()
        return self._items.popleft() if self._items else None

    def offer(self, item: T) -> None:
        """Add an item, or close when too many have not been taken."""
        if len(self._items) >= self._most:
            self.is_open = False
        elif self.is_open:
            self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        self.is_open = False
        self._changed.set()


class Publisher(Generic[T]):
    """Hands items to all subscribers of one event loop."""

    def __init__(self) -> None:
        self.subscribers: set[Subscriber[T]] = set()
        self.newcomer = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def work(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What runs while there are subscribers, by name."""
        raise NotImplementedError

    @asynccontextmanager
    async def subscribed(self, since: int | None, most: int) -> AsyncIterator[Subscriber[T]]:
        """A subscriber for as long as the block lasts."""
        subscriber = Subscriber[T](since, most)
        self.subscribers.add(subscriber)
        self.newcomer.set()
        if shutdown.has_begun():
            subscriber.close()
        if not self.tasks:
            work = {**self.work(), "close-at-shutdown": self._close_at_shutdown()}
            self.tasks = {asyncio.create_task(what, name=name) for name, what in work.items()}
        try:
            yield subscriber
        finally:
            self.subscribers.discard(subscriber)
            if not self.subscribers and self.tasks:
                ending, self.tasks = self.tasks, set()
                for task in ending:
                    task.cancel()
                await asyncio.wait(ending)

    def newcomers(self) -> list[Subscriber[T]]:
        """Those that have received nothing yet."""
        return [subscriber for subscriber in self.subscribers if not subscriber.greeted]

    def publish(self, item: T, to: Iterable[Subscriber[T]]) -> None:
        for subscriber in list(to):
            subscriber.greeted = True
            subscriber.offer(item)

    async def _close_at_shutdown(self) -> None:
        await shutdown.wait()
        for subscriber in self.subscribers:
            subscriber.close()


async def follow(
    subscribe: Callable[[int | None], AbstractAsyncContextManager[Subscriber[T]]],
    since: int | None,
    *,
    pause: float | None = None,
    watch: Watch | None = None,
) -> AsyncGenerator[T | None]:
    """All items after `since` until the process stops; None after each `pause` without any.

    A reader that falls behind subscribes again, from its last cursor. With a `watch` it ends as
    soon as the caller is not recognized any more.
    """
    while not (shutdown.has_begun() or is_over(watch)):
        async with subscribe(since) as subscriber, calling(watch, subscriber.close):
            while not is_over(watch):
                try:
                    async with asyncio.timeout(pause):
                        item = await subscriber.next()
                except TimeoutError:
                    yield None
                    continue
                if item is None:
                    break
                since = item.cursor
                yield item
