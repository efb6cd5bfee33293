"""Waiting claims: each process keeps its own in one queue and wakes them when tasks are ready.

A claim starts to listen before its first attempt, so it misses nothing that becomes ready in
between. When PostgreSQL notifies that a channel may have tasks (see ready.py), one cheap query
counts them for all waiting claims, and only as many claims try, the longest waiting first: with a
hundred agents waiting, a hundred claims for one new task would cost more than the task. A claim
that gets nothing, because its agent is bound elsewhere or another was faster, wakes the next.
Every two seconds the query runs without a notification too, for changes that send none, and one
more looks for channels that were asked for and did not exist yet. Between attempts a waiting claim
holds no thread, no connection and no transaction.
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
from django.apps import apps
from django.db import Error, close_old_connections
from psycopg import sql

from accounts.watch import Watch, calling, is_over
from events import direct, shutdown
from tasks import queue
from tasks.querysets import ChannelQuerySet
from tasks.ready import CHANNEL

THREADS = 2
CHECK_AGAIN = 2.0
# A waiting claim also tries this often by itself, which renews its agent's presence (online: 30 s).
TRY_AGAIN = 10.0
HEAR_AGAIN = 10.0  # seconds of notifications, before the connection is tried
BREATH = 1.0  # seconds before the connection to a lost database is tried again
BURST = 0.01  # seconds in which successive notifications count as one
LINGER = 30.0  # seconds for which the connection is kept when no claim waits

log = logging.getLogger("coordinator.waiting")
pool = ThreadPoolExecutor(THREADS, thread_name_prefix="waiting-claims")

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class WaitingClaim:
    """A claim in the queue. `round`: the last one in which it has tried or is about to try.

    `missing`: names that it asked for and no channel had.
    `sent`: it was woken for a task, and wakes another claim if it does not get one.
    """

    agent_id: str
    channels: frozenset[UUID]
    missing: frozenset[str]
    woken: asyncio.Event
    round: int = 0
    sent: bool = False


@dataclass(frozen=True, slots=True)
class ReadyTasks:
    """How many tasks are free in each channel, and the agents for which tasks are reserved."""

    free: dict[UUID, int]
    kept_for: frozenset[str]


class WaitingClaims:
    """The waiting claims of one event loop, the longest waiting first."""

    def __init__(self) -> None:
        self.claims: dict[WaitingClaim, None] = {}
        self.round = 0
        self.changed: set[UUID] = set()
        self.new_round = False
        self.check = asyncio.Event()
        self.listening = asyncio.Event()
        self.running: asyncio.Task[None] | None = None

    async def enter(self, claim: WaitingClaim) -> None:
        """Add a claim; returns when notifications arrive, or after a second if they cannot."""
        self.claims[claim] = None
        claim.round = self.round
        if self.running is None:
            self.listening = asyncio.Event()
            self.running = asyncio.create_task(self._run(self.listening), name="waiting-claims")
        with suppress(TimeoutError):
            async with asyncio.timeout(BREATH):
                await self.listening.wait()

    def leave(self, claim: WaitingClaim) -> None:
        del self.claims[claim]
        if claim.sent:
            self.pass_on(claim.channels)

    def notify(self, channels: Collection[UUID]) -> None:
        """These channels may have new tasks: every claim may try once more."""
        self.new_round = True
        self.pass_on(channels)

    def pass_on(self, channels: Collection[UUID]) -> None:
        """A woken claim got nothing from these channels: wake claims that have not tried."""
        self.changed.update(channels)
        self.check.set()

    async def _run(self, listening: asyncio.Event) -> None:
        beside = {
            asyncio.create_task(self._listen(listening), name="waiting-claims-listen"),
            asyncio.create_task(self._end_at_shutdown(), name="waiting-claims-end"),
        }
        try:
            await self._wake_when_ready()
        finally:
            # A claim that comes from here on starts a new task, so there is no await before this.
            self.running = None
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def _listen(self, listening: asyncio.Event) -> None:
        """Receive notifications on one connection; after a gap, check all watched channels."""
        while True:
            try:
                listen = sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL))
                async with direct.connect() as listener:
                    await listener.execute(listen)
                    listening.set()
                    self.notify(self._watched())
                    while True:
                        async for heard in listener.notifies(timeout=HEAR_AGAIN):
                            with suppress(ValueError):  # any client may send any payload
                                self.notify([UUID(heard.payload)])
                        # A server that stands still would not notify either.
                        await listener.execute(listen)
            except psycopg.Error as problem:
                if listening.is_set():
                    log.warning("No notifications.", extra={"problem": str(problem)})
                listening.clear()
                await asyncio.sleep(BREATH)

    async def _end_at_shutdown(self) -> None:
        await shutdown.wait()
        for claim in self.claims:
            claim.woken.set()

    async def _wake_when_ready(self) -> None:
        """Wake claims when tasks are ready for them; ends when no claim has waited for a while."""
        loop = asyncio.get_running_loop()
        next_check = last_seen = loop.time()
        while loop.time() < last_seen + LINGER:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_check):
                    await self.check.wait()
            self.check.clear()
            if loop.time() >= next_check:
                await self._find_missing()
                self.changed = self._watched()
                self.new_round = True
                next_check = loop.time() + CHECK_AGAIN
            if self.claims:
                last_seen = loop.time()
                await self._check_changed()
                await asyncio.sleep(BURST)

    async def _find_missing(self) -> None:
        """Watch the channels that have been made since a claim asked for them."""
        names = frozenset[str]().union(*(claim.missing for claim in self.claims))
        if not names:
            return
        try:
            found = await in_thread(partial(ids_by_name, names))
        except Error as problem:
            log.warning("New channels cannot be looked for.", extra={"problem": str(problem)})
            return
        for claim in self.claims:
            made = claim.missing & found.keys()
            claim.channels |= {found[name] for name in made}
            claim.missing -= made

    async def _check_changed(self) -> None:
        """Count the ready tasks of the channels notified, and wake as many claims."""
        channels, self.changed = self.changed & self._watched(), set()
        if self.new_round:
            self.round += 1
            self.new_round = False
        if not channels:
            return
        untried = [claim for claim in self.claims if claim.round < self.round]
        agents = {claim.agent_id for claim in untried if claim.channels & channels}
        if not agents:
            return
        try:
            found = await in_thread(partial(ready_tasks, channels, agents))
        except Error as problem:
            # The claims also try by themselves, and then get the error.
            log.warning("Waiting claims cannot be woken.", extra={"problem": str(problem)})
            return
        self._wake(untried, found)

    def _wake(self, untried: Sequence[WaitingClaim], found: ReadyTasks) -> None:
        left = dict(found.free)
        for claim in untried:
            channel = next((one for one in claim.channels if left.get(one)), None)
            if channel:
                left[channel] -= 1
            if channel or claim.agent_id in found.kept_for:
                claim.round = self.round
                claim.sent = True
                claim.woken.set()

    def _watched(self) -> set[UUID]:
        return {channel for claim in self.claims for channel in claim.channels}


_claims_of: WeakKeyDictionary[asyncio.AbstractEventLoop, WaitingClaims] = WeakKeyDictionary()


@asynccontextmanager
async def _waiting(
    agent_id: str, ids: Collection[UUID], names: Collection[str]
) -> AsyncIterator[tuple[WaitingClaims, WaitingClaim]]:
    claims = _claims_of.setdefault(asyncio.get_running_loop(), WaitingClaims())
    found = await in_thread(partial(ids_by_name, names)) if names else {}
    channels = frozenset(ids).union(found.values())
    own = WaitingClaim(agent_id, channels, frozenset(names) - found.keys(), asyncio.Event())
    try:
        await claims.enter(own)
        yield claims, own
    finally:
        claims.leave(own)


def count() -> int:
    """How many claims wait in this process."""
    return sum(len(claims.claims) for claims in list(_claims_of.values()))


async def claim(
    attempt: Callable[[], Sequence[T]],
    *,
    agent_id: str,
    ids: Collection[UUID] = (),
    names: Collection[str] = (),
    seconds: float,
    watch: Watch | None = None,
) -> Sequence[T]:
    """Returns the tasks that `attempt` claims as soon as there are any; none when the time is up.

    `attempt` is the claim itself; it runs in one of a few threads that keep their connections.
    `ids` and `names` are of the channels that it is for. The first and the last attempt renew the
    agent's presence. A cancelled call has claimed nothing, unless an attempt was just being
    carried out. Returns nothing, at once, when the process is about to stop or, with a `watch`,
    when the caller is not recognized any more.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    if not seconds:
        return await in_thread(attempt)
    async with (
        _waiting(agent_id, ids, names) as (claims, own),
        calling(watch, own.woken.set),
    ):
        while not (shutdown.has_begun() or is_over(watch)):
            own.woken.clear()
            tasks: Sequence[T] = []
            sent, own.sent = own.sent, False
            try:
                tasks = await in_thread(attempt)
            finally:
                if sent and not tasks:
                    claims.pass_on(own.channels)
            left = until - loop.time()
            if tasks or left <= 0:
                return tasks
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, TRY_AGAIN)):
                    await own.woken.wait()
    return []


def ids_by_name(names: Collection[str]) -> dict[str, UUID]:
    return {name: channel.pk for name, channel in _channels().by_name(names).items()}


def ready_tasks(channels: Collection[UUID], agents: Collection[str]) -> ReadyTasks:
    """Count the ready tasks of these channels for these agents, up to about as many as agents."""
    return ReadyTasks(
        free=queue.counts(channels, len(agents), giving=True),
        kept_for=queue.reserved(channels, agents),
    )


async def in_thread(call: Callable[[], T]) -> T:
    """Run the call in one of the few threads; it can be cancelled until it has begun."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, copy_context().run, _with_live_connection, call)


def _with_live_connection(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def _channels() -> ChannelQuerySet:
    channels: ChannelQuerySet = apps.get_model("tasks", "Channel")._default_manager.all()
    return channels
