"""Who follows the log of a running task: looked after by one query for all in each event loop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import Context
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import Error, InterfaceError, close_old_connections, connection, connections

from events import shutdown

LOOK_EVERY = 0.5

SEEN = """SELECT t.id, t.status, (
    SELECT b.id FROM artifacts_logbatch b WHERE b.task_id = t.id ORDER BY b.id DESC LIMIT 1)
FROM tasks_task t WHERE t.id = ANY(%s)"""

Seen = tuple[str, int | None]
"""The status of a task, and the last batch of its log."""

log = logging.getLogger("coordinator.artifacts")
pool = ThreadPoolExecutor(1, thread_name_prefix="log-followers")


class _Followers:
    """Those of one event loop: for each task, whom to wake when its log grows or it ends."""

    def __init__(self) -> None:
        self.woken: dict[UUID, set[asyncio.Event]] = {}
        self.seen: dict[UUID, Seen | None] = {}
        self.looking: asyncio.Task[None] | None = None

    def enter(self, task_id: UUID, event: asyncio.Event) -> None:
        self.woken.setdefault(task_id, set()).add(event)
        if self.looking is None:
            # It belongs to no request, so it runs in the context of none.
            self.looking = asyncio.create_task(
                self._look(), name="log-followers", context=Context()
            )

    async def leave(self, task_id: UUID, event: asyncio.Event) -> None:
        """The last one to leave ends the looking, and the connection that it has used."""
        self.woken[task_id].discard(event)
        if not self.woken[task_id]:
            del self.woken[task_id]
            self.seen.pop(task_id, None)
        if self.woken or self.looking is None:
            return
        ending, self.looking = self.looking, None
        ending.cancel()
        await asyncio.wait([ending])

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                if shutdown.has_begun():
                    self._wake(self.woken)
                    continue
                watched = list(self.woken)
                found = await loop.run_in_executor(pool, _seen, watched)
                if found is None:
                    continue
                self._wake([one for one in watched if found.get(one) != self.seen.get(one)])
                self.seen.update((one, found.get(one)) for one in watched if one in self.woken)
        finally:
            pool.submit(connections.close_all)

    def _wake(self, tasks: Collection[UUID]) -> None:
        for task_id in tasks:
            for event in self.woken.get(task_id, ()):
                event.set()


_followers_of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Followers] = WeakKeyDictionary()


@asynccontextmanager
async def following(task_id: UUID) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the task's log may have grown or the task may have ended.

    Also when the process is about to stop.
    """
    followers = _followers_of.setdefault(asyncio.get_running_loop(), _Followers())
    event = asyncio.Event()
    followers.enter(task_id, event)
    try:
        yield event
    finally:
        await followers.leave(task_id, event)


def _seen(tasks: Collection[UUID]) -> Mapping[UUID, Seen] | None:
    """What there is of these tasks; None while the database does not answer."""
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute(SEEN, [list(tasks)])
            return {task_id: (status, last) for task_id, status, last in cursor.fetchall()}
    except (Error, InterfaceError) as failure:
        log.warning("Logs are not followed.", extra={"error": type(failure).__name__})
        return None
    finally:
        close_old_connections()
