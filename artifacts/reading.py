"""Reading a task's log, attempt by attempt, its streams merged by time.

Lines of one stream stay in their order; of two streams, the line that is earlier comes first. No
more than one object of each stream is in memory. Where reading goes on is a `Place`: it counts for
each stream what has been read, so nothing is left out that comes late.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Self
from uuid import UUID

import orjson

from artifacts import logs, store
from artifacts.exceptions import ObjectLost, ObjectMissing
from artifacts.joining import Part, parts_of
from artifacts.models import LogBatch, Stream
from artifacts.serializers import spelled
from artifacts.threads import in_thread
from problems import Invalid

STREAMS = (Stream.STDOUT.value, Stream.STDERR.value)
MOST_LINES = 5_000
MOST_BYTES = 1024 * 1024
ROWS = 64  # batches that are looked up at a time
SPELLED = re.compile("[0-9]{1,18}([.][0-9]{1,18}){4}", re.ASCII)


class Line(NamedTuple):
    """A line of a log. `clock`: where it stands in the order of its stream and of time."""

    clock: str
    at: str
    stream: str
    message: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: in which attempt, and for each stream in which batch after which line.

    As text it is the cursor of clients.
    """

    epoch: int = 0
    marks: tuple[tuple[int, int], ...] = ((1, 0),) * len(STREAMS)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            return cls()
        if not SPELLED.fullmatch(text):
            raise Invalid("cursor must be one that this log has given")
        epoch, *numbers = map(int, text.split("."))
        return cls(epoch, tuple(zip(numbers[::2], numbers[1::2], strict=True)))

    def __str__(self) -> str:
        return ".".join(map(str, (self.epoch, *(part for mark in self.marks for part in mark))))


@dataclass(slots=True)
class Piece:
    """Some lines, and where reading goes on behind them."""

    lines: list[Line]
    then: Place


@dataclass(slots=True)
class Source:
    """One stream of an attempt: the lines of one batch of it, and which comes next.

    `dry`: there are no more batches now.
    """

    task_id: UUID
    epoch: int
    stream: str
    sequence: int
    line: int
    lines: list[Line] = field(default_factory=list)
    rows: deque[LogBatch] = field(default_factory=deque)
    parts: deque[Part] = field(default_factory=deque)
    dry: bool = False

    @property
    def mark(self) -> tuple[int, int]:
        return self.sequence, self.line

    @property
    def next(self) -> Line | None:
        return self.lines[self.line] if self.line < len(self.lines) else None

    async def fill(self, objects: store.ObjectStore) -> None:
        """Read the next batch, if all lines of this one have been taken and there is one."""
        while self.next is None and not self.dry:
            if self.lines:
                self.lines, self.line = [], 0
                self.sequence += 1
            if not self.parts and not await self._read_object(objects):
                self.dry = True
                return
            part = self.parts.popleft()
            self.lines = await asyncio.to_thread(partial(read_batch, part, self.stream, self.epoch))
            self.sequence = part.sequence

    async def _read_object(self, objects: store.ObjectStore) -> bool:
        """Read the object that has the next batch; False if there is none now."""
        if not self.rows:
            self.rows.extend(await in_thread(self._look))
        while self.rows:
            row = self.rows.popleft()
            try:
                content = await store.whole(objects, row.key)
            except ObjectMissing:
                # It may have been joined with others since its row was read.
                self.rows = deque(await in_thread(self._look))
                if not self.rows or self.rows[0].key == row.key:
                    raise ObjectLost from None
                continue
            found = parts_of(row, content)
            self.parts.extend(part for part in found if part.sequence >= self.sequence)
            if self.parts:
                return True
        return False

    def _look(self) -> list[LogBatch]:
        rows = LogBatch.objects.filter(task=self.task_id, epoch=self.epoch, stream=self.stream)
        rows = rows.filter(sequence__gte=self.sequence, left_out=0)
        return list(rows.order_by("sequence")[:ROWS])


def read_batch(part: Part, stream: str, epoch: int) -> list[Line]:
    clock = part.first_at
    lines = []
    for entry in orjson.loads(part.content)["entries"]:
        clock = max(clock, entry["at"])
        lines.append(Line(clock, entry["at"], stream, entry["message"], epoch))
    return lines


async def pieces(
    task_id: UUID,
    streams: Sequence[str],
    place: Place,
    *,
    most: int | None = None,
    is_whole: bool = True,
) -> AsyncIterator[Piece]:
    """The log from this place to its present end, `most` lines of it.

    `is_whole`: nothing will be added, so that what was left out is said at the end. A piece has at
    most MOST_LINES lines, and not many more bytes than MOST_BYTES.
    """
    left = most
    epochs = await in_thread(partial(_epochs, task_id, place.epoch))
    for epoch in epochs:
        if epoch != place.epoch:
            place = Place(epoch)
        attempt = _pieces_of_attempt(task_id, streams, place, left)
        async for piece in attempt:
            place = piece.then
            yield piece
            if left is not None:
                left -= len(piece.lines)
                if left <= 0:
                    return
        if not (is_whole or epoch != epochs[-1]):
            return
        marker = await in_thread(partial(_marker, task_id, epoch, streams))
        if marker:
            place = Place(epoch + 1)
            yield Piece([marker], place)
            if left is not None:
                left -= 1
                if left <= 0:
                    return


async def _pieces_of_attempt(
    task_id: UUID, streams: Sequence[str], place: Place, left: int | None
) -> AsyncIterator[Piece]:
    objects = store.current()
    sources = [
        Source(task_id, place.epoch, stream, *mark)
        for stream, mark in zip(STREAMS, place.marks, strict=True)
    ]
    read = [source for source in sources if source.stream in streams]
    while left is None or left > 0:
        for source in read:
            await source.fill(objects)
        lines = merged(read, MOST_LINES if left is None else min(left, MOST_LINES))
        if not lines:
            return
        if left is not None:
            left -= len(lines)
        yield Piece(lines, Place(place.epoch, tuple(source.mark for source in sources)))


def merged(sources: Sequence[Source], most: int) -> list[Line]:
    """The next lines of all sources by time, until one of them has to be filled."""
    lines: list[Line] = []
    size = 0
    while len(lines) < most and size < MOST_BYTES:
        first: tuple[Line, Source] | None = None
        for source in sources:
            line = source.next
            if line is None:
                if not source.dry:
                    return lines
            elif first is None or line.clock < first[0].clock:
                first = line, source
        if first is None:
            return lines
        first[1].line += 1
        lines.append(first[0])
        size += len(first[0].message)
    return lines


def _epochs(task_id: UUID, least: int) -> list[int]:
    rows = LogBatch.objects.filter(task=task_id, epoch__gte=least)
    return list(rows.order_by("epoch").values_list("epoch", flat=True).distinct())


def _marker(task_id: UUID, epoch: int, streams: Sequence[str]) -> Line | None:
    """The line that says how much is missing at the end of an attempt; None if nothing is."""
    left_out = logs.left_out_of(task_id, epoch, streams)
    if not left_out:
        return None
    rows = LogBatch.objects.filter(task=task_id, epoch=epoch, stream__in=streams, left_out__gt=0)
    last = rows.order_by("last_at").last()
    if last is None:
        return None
    at = spelled(last.last_at)
    return Line(at, at, last.stream, f"… {left_out} bytes were left out", epoch)
