"""The end of the journal: what is new there, told to all in this process who watch.

    async with tail.watch(cursor) as watching:
        batch = await watching.next()

One follower for each process, only while somebody watches, reads new rows five times a second.
A batch's cursor is the id up to which nothing more can come; whoever goes on from there misses
nothing, and may be told again of what lies above it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from api.body import JsonDict
from events import direct, shutdown
from events.gaps import Gaps

TICK = 0.2
BREATH = 1.0  # seconds until a database that went away is asked again
# No transaction of ours lives longer, the settings of its connection see to that.
ROLLED_BACK_AFTER = 60.0
MOST_LINES = 5_000
MOST_BATCHES = 64

log = logging.getLogger("coordinator.tail")


class TailRow(NamedTuple):
    """A row of the journal, as far as those who watch need it.

    The payload is there only where the coordinator itself wrote a short one: of inputs, and of
    agents that wait for a person.
    """

    id: int
    type: str
    source: str
    agent_id: str | None
    task_id: str | None
    chain_id: UUID | None
    channel_id: UUID | None
    payload: JsonDict | None
    job_id: str | None
    created_at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Batch:
    """What is new. Not `complete`: more has happened since the cursor asked for than it tells."""

    lines: Sequence[TailRow]
    cursor: int
    complete: bool = True


COLUMNS = """id, type, source, agent_id, task_id, chain_id, channel_id,
    CASE WHEN source = 'coordinator' AND (type = 'agent.setup_waited' OR type LIKE 'input.%%')
      THEN payload END, job_id, created_at, actor, reason"""

# Each part is one walk of the index on id: a plain join with the gaps could read the whole table.
NEW = f"""
(SELECT {COLUMNS} FROM events_event WHERE id > %(highest)s ORDER BY id LIMIT {MOST_LINES})
UNION ALL
SELECT e.* FROM unnest(%(lows)s::bigint[], %(highs)s::bigint[]) AS gap (low, high)
  CROSS JOIN LATERAL (
    SELECT {COLUMNS} FROM events_event WHERE id BETWEEN gap.low AND gap.high
    ORDER BY id LIMIT {MOST_LINES}) e
ORDER BY id LIMIT {MOST_LINES}
"""  # noqa: S608

SINCE = f"SELECT {COLUMNS} FROM events_event WHERE id > %s ORDER BY id LIMIT {MOST_LINES + 1}"  # noqa: S608

# Whether the journal still has all that came after an id, and has ever come as far.
REACHES = """
SELECT %(cursor)s <= last_value AND %(cursor)s >= COALESCE(
    (SELECT id FROM events_event ORDER BY id LIMIT 1), last_value + is_called::int) - 1
FROM events_event_id_seq
"""

# What is older than this can no longer be overtaken: a transaction's time, and a statement's.
OLD = """
SELECT id FROM events_event WHERE created_at < now() - interval '90 seconds'
ORDER BY id DESC LIMIT 1
"""

YOUNG = """
SELECT id, before FROM (
  SELECT id, lag(id, 1, %(old)s::bigint) OVER (ORDER BY id) AS before,
    lead(id) OVER (ORDER BY id) IS NULL AS last
  FROM events_event WHERE id > %(old)s) e
WHERE id > before + 1 OR last ORDER BY id
"""


class Watching:
    """One who watches. `since`: go on after this id; None: from now on."""

    def __init__(self, since: int | None) -> None:
        self.since = since
        self.told = False
        self.is_open = True
        self._batches: deque[Batch] = deque()
        self._stirred = asyncio.Event()

    async def next(self) -> Batch | None:
        """The next batch; the first comes at once, with what was missed or with none.

        None: no more will come, since this one fell behind or the process is about to stop. Who
        fell behind watches anew, from its last cursor.
        """
        while not self._batches and self.is_open:
            self._stirred.clear()
            await self._stirred.wait()
        return self._batches.popleft() if self._batches else None

    def offer(self, batch: Batch) -> None:
        """Hand over a batch, or close when too many have not been taken."""
        if len(self._batches) >= MOST_BATCHES:
            self.is_open = False
        elif self.is_open:
            self._batches.append(batch)
        self._stirred.set()

    def close(self) -> None:
        self.is_open = False
        self._stirred.set()


class Follower:
    """Reads the journal for all who watch in one event loop."""

    def __init__(self) -> None:
        self.watching: set[Watching] = set()
        self.gaps: Gaps | None = None
        self.reachable = True
        self.newcomer = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def enter(self, one: Watching) -> None:
        self.watching.add(one)
        self.newcomer.set()
        if not self.tasks:
            self.gaps = None
            self.tasks = {
                asyncio.create_task(self._follow(), name="journal"),
                asyncio.create_task(self._close_at_shutdown(), name="journal-end"),
            }

    async def leave(self, one: Watching) -> None:
        self.watching.discard(one)
        if not self.watching and self.tasks:
            ending, self.tasks = self.tasks, set()
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)

    async def _close_at_shutdown(self) -> None:
        await shutdown.wait()
        for one in self.watching:
            one.close()

    async def _follow(self) -> None:
        """Read on and on; what was missing while the database was away is read when it is back."""
        while True:
            try:
                async with await direct.connect() as connection:
                    if self.gaps is None:
                        self.gaps = await _begin(connection)
                    while True:
                        if await self._turn(connection, self.gaps):
                            await self._pause(TICK)
            except psycopg.Error as problem:
                if self.reachable:
                    log.warning("The journal cannot be read.", extra={"problem": str(problem)})
                self.reachable = False
                await asyncio.sleep(BREATH)

    async def _turn(self, connection: AsyncConnection[TupleRow], gaps: Gaps) -> bool:
        """Read and tell what is new; whether that was all."""
        self.newcomer.clear()
        now = time.monotonic()
        lines = await _read_new(connection, gaps)
        gaps.see((line.id for line in lines), now)
        all_read = len(lines) < MOST_LINES
        if all_read:
            gaps.forget(now - ROLLED_BACK_AFTER)
        if not self.reachable:
            log.info("The journal can be read again.")
            self.reachable = True
        if lines:
            batch = Batch(lines, gaps.low_water)
            self._tell([one for one in self.watching if one.told], batch)
        await self._greet(connection, gaps)
        return all_read

    async def _greet(self, connection: AsyncConnection[TupleRow], gaps: Gaps) -> None:
        """Tell newcomers what they missed; those from the same place share one batch."""
        newcomers = [one for one in self.watching if not one.told]
        for since in {one.since for one in newcomers}:
            if since is None:
                batch = Batch([], gaps.low_water)
            else:
                batch = await read_since(connection, since, gaps.low_water)
            self._tell([one for one in newcomers if one.since == since], batch)

    def _tell(self, those: Sequence[Watching], batch: Batch) -> None:
        for one in those:
            one.told = True
            one.offer(batch)
            if not one.is_open:
                # The follower must not end here, with the one it serves: that one leaves itself.
                self.watching.discard(one)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.newcomer.wait()


_followers: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()


@asynccontextmanager
async def watch(since: int | None = None) -> AsyncIterator[Watching]:
    """Be told of all that happens after the id `since`, or from now on, while the block lasts."""
    follower = _followers.setdefault(asyncio.get_running_loop(), Follower())
    one = Watching(since)
    follower.enter(one)
    if shutdown.has_begun():
        one.close()
    try:
        yield one
    finally:
        await follower.leave(one)


async def read_since(connection: AsyncConnection[TupleRow], since: int, low_water: int) -> Batch:
    """What happened after the id `since`; the cursor, `low_water`, is where a follower goes on.

    Not complete where the journal no longer has all of that, where it never came as far, or
    where there is too much to tell.
    """
    reaches = await (await connection.execute(REACHES, {"cursor": since})).fetchone()
    if reaches is None or not reaches[0]:
        return Batch([], low_water, complete=False)
    rows = await (await connection.execute(SINCE, [since])).fetchall()
    if len(rows) > MOST_LINES:
        return Batch([], low_water, complete=False)
    return Batch([TailRow(*row) for row in rows], low_water)


async def _read_new(connection: AsyncConnection[TupleRow], gaps: Gaps) -> list[TailRow]:
    """The rows above the highest known id, and those that were missing and have come since."""
    values = {
        "highest": gaps.highest,
        "lows": [gap.low for gap in gaps.missing],
        "highs": [gap.high for gap in gaps.missing],
    }
    rows = await (await connection.execute(NEW, values)).fetchall()
    return [TailRow(*row) for row in rows]


async def _begin(connection: AsyncConnection[TupleRow]) -> Gaps:
    """Start at the journal's end as it is, with the ids that are missing among the youngest."""
    found = await (await connection.execute(OLD)).fetchone()
    old: int = found[0] if found else 0
    gaps = Gaps(old)
    now = time.monotonic()
    for number, before in await (await connection.execute(YOUNG, {"old": old})).fetchall():
        gaps.skip(before + 1, number - 1, now)
        gaps.highest = number
    return gaps
