"""The end of the journal: its new rows, for all subscribers in this process.

    async with tail.watch(cursor) as subscriber:
        batch = await subscriber.next()

One follower for each process reads new rows five times a second, while there are subscribers. A
batch's cursor is the id up to which nothing more can come; a subscriber that goes on from there
misses nothing, and may receive again what lies above it.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg

from api.body import JsonDict
from events import direct
from events.direct import Direct
from events.gaps import Gaps
from events.subscribers import Publisher, Subscriber

TICK = 0.2
BREATH = 1.0  # seconds before a database that went away is tried again
SLOWEST_ANSWER = 30.0  # seconds; the server ends a statement then
# No transaction lives longer (events/bounds.py), but those that are waited for.
ROLLED_BACK_AFTER = 60.0
MOST_ROWS = 5_000
MOST_BATCHES = 64

log = logging.getLogger("coordinator.tail")


class TailRow(NamedTuple):
    """A row of the journal, as far as subscribers need it.

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
    """New rows. Not `complete`: more has happened since the cursor asked for than they show."""

    rows: Sequence[TailRow]
    cursor: int
    complete: bool = True


COLUMNS = """id, type, source, agent_id, task_id, chain_id, channel_id,
    CASE WHEN source = 'coordinator' AND (type = 'agent.setup_waited' OR type LIKE 'input.%%')
      THEN payload END, job_id, created_at, actor, reason"""

# Each part is one walk of the index on id: a plain join with the gaps could read the whole table.
NEW = f"""
(SELECT {COLUMNS} FROM events_event WHERE id > %(highest)s ORDER BY id LIMIT {MOST_ROWS})
UNION ALL
SELECT e.* FROM unnest(%(lows)s::bigint[], %(highs)s::bigint[]) AS gap (low, high)
  CROSS JOIN LATERAL (
    SELECT {COLUMNS} FROM events_event WHERE id BETWEEN gap.low AND gap.high
    ORDER BY id LIMIT {MOST_ROWS}) e
ORDER BY id LIMIT {MOST_ROWS}
"""  # noqa: S608

SINCE = f"SELECT {COLUMNS} FROM events_event WHERE id > %s ORDER BY id LIMIT {MOST_ROWS + 1}"  # noqa: S608

# Whether the journal has reached an id, and still has all that came after it.
REACHES = """
SELECT %(cursor)s <= last_value AND %(cursor)s >= COALESCE(
    (SELECT id FROM events_event ORDER BY id LIMIT 1), last_value + is_called::int) - 1
FROM events_event_id_seq
"""

# The start of the oldest transaction that has written to the journal and still runs.
OLDEST_WRITER = """
SELECT min(a.xact_start) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
  AND l.relation = 'events_event'::regclass AND a.datname = current_database()
"""
WRITES_FOR = f"SELECT extract(epoch FROM clock_timestamp() - ({OLDEST_WRITER}))::float8"  # noqa: S608

# What is older than this can no longer be overtaken: a transaction's time, and a statement's.
OLD = f"""
SELECT id FROM events_event
WHERE created_at < LEAST(now(), ({OLDEST_WRITER})) - interval '90 seconds'
ORDER BY id DESC LIMIT 1
"""  # noqa: S608

YOUNG = """
SELECT id, before FROM (
  SELECT id, lag(id, 1, %(old)s::bigint) OVER (ORDER BY id) AS before,
    lead(id) OVER (ORDER BY id) IS NULL AS last
  FROM events_event WHERE id > %(old)s) e
WHERE id > before + 1 OR last ORDER BY id
"""


class Follower(Publisher[Batch]):
    """Reads the journal for all subscribers of one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.reachable = True
        self.turned_at = time.monotonic()

    def work(self) -> Mapping[str, Coroutine[None, None, None]]:
        return {"journal": self._follow()}

    async def _follow(self) -> None:
        """Read on and on; what was missed while the database was away is read when it is back."""
        gaps: Gaps | None = None
        answer_within = direct.ANSWER_WITHIN
        self.turned_at = time.monotonic()
        while True:
            try:
                async with direct.connect(answer_within) as connection:
                    if gaps is None:
                        gaps = await _begin(connection)
                    while True:
                        all_read = await self._turn(connection, gaps)
                        self.turned_at = time.monotonic()
                        connection.answer_within = answer_within = direct.ANSWER_WITHIN
                        if all_read:
                            await self._pause(TICK)
            except psycopg.Error as problem:
                # A server that is only slow must be able to answer some time.
                answer_within = min(answer_within * 2, SLOWEST_ANSWER)
                if self.reachable:
                    log.warning("The journal cannot be read.", extra={"problem": str(problem)})
                self.reachable = False
                await asyncio.sleep(BREATH)

    async def _turn(self, connection: Direct, gaps: Gaps) -> bool:
        """Read and publish what is new; whether that was all."""
        self.newcomer.clear()
        now = time.monotonic()
        rows = await _read_new(connection, gaps)
        gaps.see((row.id for row in rows), now)
        all_read = len(rows) < MOST_ROWS
        if all_read and gaps.missing and gaps.missing[0].since <= now - ROLLED_BACK_AFTER:
            gaps.forget(now - max(ROLLED_BACK_AFTER, await _writes_for(connection)))
        if not self.reachable:
            log.info("The journal can be read again.")
            self.reachable = True
        if rows:
            batch = Batch(rows, gaps.low_water)
            self.publish(batch, [one for one in self.subscribers if one.greeted])
        await self._greet(connection, gaps)
        return all_read

    async def _greet(self, connection: Direct, gaps: Gaps) -> None:
        """Send newcomers what they missed; those from the same place share one batch."""
        newcomers = self.newcomers()
        for since in {one.since for one in newcomers}:
            if since is None:
                batch = Batch([], gaps.low_water)
            else:
                batch = await read_since(connection, since, gaps.low_water)
            self.publish(batch, [one for one in newcomers if one.since == since])

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.newcomer.wait()


_followers: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()


def behind() -> float | None:
    """Seconds since the journal was last read for this process's subscribers; None without any."""
    working = [one.turned_at for one in list(_followers.values()) if one.tasks]
    return time.monotonic() - min(working) if working else None


def watch(since: int | None = None) -> AbstractAsyncContextManager[Subscriber[Batch]]:
    """A subscriber to all that happens after the id `since`, or from now on, during the block."""
    follower = _followers.setdefault(asyncio.get_running_loop(), Follower())
    return follower.subscribed(since, MOST_BATCHES)


async def read_since(connection: Direct, since: int, low_water: int) -> Batch:
    """What happened after the id `since`; the cursor, `low_water`, is where a follower goes on.

    Not complete where the journal no longer has all of that, where it has not reached that id, or
    where there are too many rows.
    """
    reaches = await (await connection.execute(REACHES, {"cursor": since})).fetchone()
    if reaches is None or not reaches[0]:
        return Batch([], low_water, complete=False)
    rows = await (await connection.execute(SINCE, [since])).fetchall()
    if len(rows) > MOST_ROWS:
        return Batch([], low_water, complete=False)
    return Batch([TailRow(*row) for row in rows], low_water)


async def _writes_for(connection: Direct) -> float:
    """For how many seconds the oldest transaction that may still fill a gap has been running."""
    found = await (await connection.execute(WRITES_FOR)).fetchone()
    return 0.0 if found is None or found[0] is None else float(found[0])


async def _read_new(connection: Direct, gaps: Gaps) -> list[TailRow]:
    """The rows above the highest known id, and those that were missing and have come since."""
    values = {
        "highest": gaps.highest,
        "lows": [gap.low for gap in gaps.missing],
        "highs": [gap.high for gap in gaps.missing],
    }
    rows = await (await connection.execute(NEW, values)).fetchall()
    return [TailRow(*row) for row in rows]


async def _begin(connection: Direct) -> Gaps:
    """Start at the journal's end as it is, with the ids that are missing among the youngest."""
    found = await (await connection.execute(OLD)).fetchone()
    old: int = found[0] if found else 0
    gaps = Gaps(old)
    now = time.monotonic()
    for number, before in await (await connection.execute(YOUNG, {"old": old})).fetchall():
        gaps.skip(before + 1, number - 1, now)
        gaps.highest = number
    return gaps
