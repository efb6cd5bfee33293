"""What happens to jobs, piece by piece, for answers that go on: of one job, or of all.

Events of one job have ids in the order in which they happened, since they are written while its row
is locked: so the id of the last one is where a client goes on. Among all jobs a lower id may come
later; there the cursor is the mark of the journal below which nothing comes any more.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from accounts import ownership
from accounts.callers import Caller
from accounts.watch import calling
from accounts.watching import watching
from collab import bus, channels
from collab.broadcasts import BUS, is_about_job, of_job
from collab.bus import Delivery
from collab.happenings import Happening
from collab.models import CollabJob
from events import slots
from events.sse import PING_AFTER
from events.subscribers import Subscriber

PAGE = 250  # events of a job that are in memory at once; each may have 16 KiB


@dataclass(frozen=True, slots=True)
class Limits:
    """When a stream ends by itself: after so many seconds without an event, or in all."""

    idle: float = float("inf")
    longest: float = float("inf")


@dataclass(slots=True)
class Pace:
    """How long a stream may wait: until it has to say that it lives, or until it ends."""

    limits: Limits
    begun: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds until it ends."""
        ends = min(self.heard + self.limits.idle, self.begun + self.limits.longest)
        return ends - time.monotonic()

    async def next(self, subscriber: Subscriber[Delivery]) -> Delivery | None:
        """The next delivery. Raises TimeoutError when it is time to say something."""
        until_ping = self.said + PING_AFTER - time.monotonic()
        async with asyncio.timeout(max(min(until_ping, self.left()), 0)):
            return await subscriber.next()

    def hears(self) -> None:
        self.heard = self.said = time.monotonic()

    def says(self) -> bool:
        """Whether it has been silent for so long that it has to say that it lives; it does then."""
        is_due = time.monotonic() - self.said >= PING_AFTER
        if is_due:
            self.said = time.monotonic()
        return is_due


@dataclass(frozen=True, slots=True)
class News:
    """What is new, and where a client goes on that has read it.

    `more`: of what was missed. Not `complete`: more has happened than can be shown.
    """

    happenings: Sequence[Happening] = ()
    cursor: int = 0
    more: bool = False
    complete: bool = True


@asynccontextmanager
async def watched(channel: str, caller: Caller) -> AsyncIterator[Subscriber[Delivery]]:
    """What is new in a channel; the first delivery says from where on that is."""
    with slots.taken(slots.holder_of(caller)):
        async with (
            watching(caller) as watch,
            bus.join() as subscriber,
            calling(watch, subscriber.close),
        ):
            with bus.here().watching([channel]):
                yield subscriber


async def of_one(
    job: CollabJob, after: int, caller: Caller, limits: Limits
) -> AsyncGenerator[News | None]:
    """What happened to a job after this event, and happens; None when there is nothing to say.

    It ends when the client has to come again, or by its limits.
    """
    channel = of_job(job.pk)
    pace = Pace(limits)
    async with watched(channel, caller) as subscriber:
        await subscriber.next()
        more = True
        while more:
            page = await bus.thread.until_read(partial(channels.page, channel, after, PAGE))
            after, more = page.last, page.more
            yield News(page.happenings, after, more=more)
        pace.hears()
        while pace.left() > 0:
            try:
                delivery = await pace.next(subscriber)
            except TimeoutError:
                if pace.says():
                    yield None
                continue
            if delivery is None or not delivery.complete:
                return
            new = [one for one in delivery.happenings if _is_of(one, job, after)]
            if new:
                after = new[-1].event.pk
                pace.hears()
                yield News(new, after)


def _is_of(one: Happening, job: CollabJob, after: int) -> bool:
    event = one.event
    return is_about_job(event) and event.task_id == str(job.pk) and event.pk > after


async def of_all(after: int | None, caller: Caller) -> AsyncGenerator[News | None]:
    """What happens to all jobs that the caller may see, first what happened after the cursor."""
    pace = Pace(Limits())
    async with watched(BUS, caller) as subscriber:
        first = await subscriber.next()
        if first is None:
            return
        seen: set[int] = set()
        cursor = first.cursor
        if after is not None:
            missed = await bus.thread.until_read(lambda: channels.missed(BUS, after))
            cursor = max(cursor, after) if missed.complete else cursor
            seen = {one.event.pk for one in missed.happenings}
            yield News(_visible(missed.happenings, caller), cursor, complete=missed.complete)
        else:
            yield News(cursor=cursor)
        while True:
            try:
                delivery = await pace.next(subscriber)
            except TimeoutError:
                if pace.says():
                    yield None
                continue
            if delivery is None or not delivery.complete:
                return
            new = [
                one
                for one in delivery.happenings
                if one.event.pk > cursor and one.event.pk not in seen
            ]
            cursor = max(cursor, delivery.cursor)
            seen = {number for number in seen if number > cursor}
            if found := _visible(new, caller):
                pace.hears()
                yield News(found, cursor)


def _visible(happenings: Sequence[Happening], caller: Caller) -> list[Happening]:
    """Those of jobs that the caller may see; of a deleted one nobody knows whose it was."""
    jobs = [one for one in happenings if is_about_job(one.event)]
    if not ownership.is_limited(caller):
        return jobs
    mine = {None, caller.user_id}
    return [one for one in jobs if one.job is not None and one.job.user_id in mine]
