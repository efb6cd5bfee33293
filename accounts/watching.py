"""Callers who wait: streams, sockets and waiting claims end when their caller is not recognized.

While anybody waits, each event loop looks its callers up again every few seconds, all at once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import Context
from weakref import WeakKeyDictionary

from django.db import Error, InterfaceError, close_old_connections, connections

from accounts import recognition
from accounts.callers import Caller
from accounts.watch import Watch

LOOK_EVERY = 2.0

log = logging.getLogger("coordinator.accounts")
pool = ThreadPoolExecutor(1, thread_name_prefix="callers")


class _Watches:
    """Those of one event loop."""

    def __init__(self) -> None:
        self.open: dict[Watch, None] = {}
        self.looking: asyncio.Task[None] | None = None

    def enter(self, watch: Watch) -> None:
        self.open[watch] = None
        if self.looking is None:
            # It belongs to no request, so it runs in the context of none.
            looking = self._look()
            self.looking = asyncio.create_task(looking, name="callers", context=Context())

    async def leave(self, watch: Watch) -> None:
        """The last one to leave ends the looking, and the connection that it has used."""
        del self.open[watch]
        if self.open or self.looking is None:
            return
        ending, self.looking = self.looking, None
        ending.cancel()
        await asyncio.wait([ending])

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                among = {watch.caller for watch in self.open if not watch.is_over}
                gone = await loop.run_in_executor(pool, _no_longer, among)
                for watch in list(self.open):
                    if watch.caller in gone and not watch.is_over:
                        watch.end()
        except Exception:
            # Nobody would be looked up any more.
            for watch in list(self.open):
                watch.end()
            raise
        finally:
            pool.submit(connections.close_all)


_watches_of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watches] = WeakKeyDictionary()


@asynccontextmanager
async def watching(caller: Caller) -> AsyncIterator[Watch]:
    """Look the caller up again and again while the block lasts."""
    watches = _watches_of.setdefault(asyncio.get_running_loop(), _Watches())
    watch = Watch(caller)
    if caller.kind in recognition.ALWAYS:
        yield watch
        return
    watches.enter(watch)
    try:
        yield watch
    finally:
        await watches.leave(watch)


def _no_longer(among: Collection[Caller]) -> set[Caller]:
    """While the database is away, nobody is sent away: it has nothing to show them either."""
    close_old_connections()
    try:
        return recognition.no_longer(among)
    except (Error, InterfaceError) as failure:
        log.warning("Callers who wait are not looked up.", extra={"error": type(failure).__name__})
        return set()
    finally:
        close_old_connections()
