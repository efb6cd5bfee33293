"""Token buckets in memory that several processes share: how often each caller may come.

No process waits for another. Each counts in cells that it alone writes, and reads those of all.
With T = 1/rate, a bucket that let in n requests, at t1, t2, …, is full again at

    max over k of (tk - (k - 1) T) + n T

so it is enough that each process keeps the largest `tk - (k - 1) T` that it has seen, and how many
it has let in: the maximum and the sum over all processes are the bucket. What they do at the same
instant they may miss of each other. So a bucket may let in one request more for each other process,
once until it is full again; no count is ever lost.
"""

import mmap
import re
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

PLACES = 1 << 14
PROBES = 8  # places that a caller may have
CELL = 8  # bytes
PERIODS: Mapping[str, float] = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST = max(PERIODS.values())  # added to all times, so that a cell of zero is before all of them
MICROSECOND = 1e-6  # what is less comes of rounding
WRITTEN = struct.Struct("d")
NOTATION = re.compile("([1-9][0-9]{0,8})/([smhd])")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds, all of them at once if need be."""

    limit: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """A rate as REST framework writes them: `300/m` are 300 in a minute."""
        found = NOTATION.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(int(found[1]), PERIODS[found[2]])


@dataclass(frozen=True, slots=True)
class Refusal:
    """Seconds until a token comes, and until the bucket is full."""

    wait: float
    reset: float


class Buckets:
    """A bucket for each caller, of one rate.

    A place is a caller's until its bucket is full and another needs it: a full bucket is like none.
    Callers who find no place in a table that is full of others share one.
    """

    def __init__(self, rate: Rate, processes: int = 1) -> None:
        self.rate = rate
        self.each = rate.seconds / rate.limit  # seconds until a token comes
        self.column = 0
        self.lock = threading.Lock()
        self.cells = struct.Struct(f"q{2 * processes}d")
        self.memory = mmap.mmap(-1, PLACES * self.cells.size)

    def take(self, caller: str, now: float | None = None) -> Refusal | None:
        """Take a token of this caller's bucket; None if there was one."""
        if now is None:
            now = time.monotonic()
        now += LONGEST
        each = self.each
        with self.lock:
            offset, cells = self._place_of(caller, now)
            counts = cells[2::2]
            total = sum(counts)
            full_at = max(cells[1::2]) + total * each
            wait = full_at - now - (self.rate.limit - 1) * each
            if wait > MICROSECOND:
                return Refusal(wait, full_at - now)
            own = offset + CELL + 2 * CELL * self.column
            if full_at < now:
                WRITTEN.pack_into(self.memory, own, now - total * each)
            WRITTEN.pack_into(self.memory, own + CELL, counts[self.column] + 1.0)
        return None

    def _place_of(self, caller: str, now: float) -> tuple[int, tuple[float, ...]]:
        """Where this caller's bucket is, and its cells; begun if there is none.

        Where two processes begin two buckets at the same place and instant, one of them begins
        again with the next request.
        """
        key = hash(caller) or 1  # the same in all processes that were forked from one
        free = None
        for probe in range(PROBES):
            offset = (key + probe) % PLACES * self.cells.size
            cells = self.cells.unpack_from(self.memory, offset)
            if cells[0] == key:
                return offset, cells
            if free is None and max(cells[1::2]) + sum(cells[2::2]) * self.each <= now:
                free = offset, cells
            if cells[0] == 0:
                break
        if free is None:
            offset = key % PLACES * self.cells.size
            return offset, self.cells.unpack_from(self.memory, offset)
        struct.pack_into("q", self.memory, free[0], key)
        return free
