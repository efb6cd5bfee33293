"""Putting the many small objects of a log together, once its attempt has ended.

An object of several batches has each of them as a line, as it was: its number, the place of its
first line in the order of time, and its content. So cursors mean what they meant, and a batch is
read alone. The new object is announced and stored before one transaction names it in the row of
its last batch and deletes the rows of the others; what that leaves is on the list of removals.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet

from artifacts import logs, removals, store
from artifacts.exceptions import ObjectMissing, StoreAway, UploadGone
from artifacts.models import LogBatch, Removal
from artifacts.serializers import spelled
from tasks.models import Task
from tasks.states import Status

LARGE = 1024 * 1024  # bytes of an object that is large enough
LINE = 60  # bytes of a line beside its text
MOST = 2_000  # batches in one object
STREAMS_AT_ONCE = 100  # that are looked up
READ_AT_ONCE = 16
SECONDS = 20.0  # after which a pass leaves the rest to the next

log = logging.getLogger("coordinator.artifacts")


class Part(NamedTuple):
    """A batch in an object."""

    sequence: int
    first_at: str
    content: bytes


def parts_of(row: LogBatch, content: bytes) -> Iterator[Part]:
    """The batches in the object of a row, one by one."""
    if row.first is None or row.first == row.sequence:
        yield Part(row.sequence, spelled(row.first_at), content)
        return
    for line in content.split(b"\n"):
        sequence, first_at, batch = line.split(b" ", 2)
        yield Part(int(sequence), first_at.decode(), batch)


def join_all() -> int:
    """Join the batches of attempts that have ended; returns how many objects that saved.

    A pass of the maintenance loop. What it does not manage, the next one does.
    """
    saved, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until and (streams := _to_join()):
        for first in streams:
            try:
                saved += _join_stream(first, until)
            except StoreAway as failure:
                why = str(failure.__cause__ or failure).partition("\n")[0]
                log.warning("Logs were not joined.", extra={"problem": why})
                return saved
    return saved


def _to_join() -> list[LogBatch]:
    """The first batches of streams that have not been joined, of leases that are over."""
    is_held = Q(task__status=Status.IN_PROGRESS, task__lease_epoch=F("epoch"))
    rows = LogBatch.objects.filter(sequence=1, first=None, left_out=0).exclude(is_held)
    return list(rows.order_by("id")[:STREAMS_AT_ONCE])


def _join_stream(first: LogBatch, until: float) -> int:
    """Join what is small; the beginning comes last, since it says that the stream is not done."""
    saved = 0
    for least, most in reversed(list(_groups(first))):
        if time.monotonic() > until:
            return saved
        rows = _rows_of(first).filter(sequence__range=(least, most))
        saved += _join(list(rows.order_by("sequence")))
    LogBatch.objects.filter(pk=first.pk).update(first=1)  # if it stays as it is
    return saved


def _rows_of(first: LogBatch) -> QuerySet[LogBatch]:
    """The batches of its stream that stand for themselves."""
    rows = LogBatch.objects.filter(task=first.task_id, epoch=first.epoch, stream=first.stream)
    return rows.filter(left_out=0, first=None)


def _groups(first: LogBatch) -> Iterator[tuple[int, int]]:
    """From which to which number batches are small enough together; none that is alone."""
    least = last = count = size = 0
    sizes = _rows_of(first).order_by("sequence").values_list("sequence", "size", "lines")
    for sequence, own_size, lines in sizes.iterator(MOST):
        more = own_size + lines * LINE
        if count and (size + more > LARGE or count == MOST):
            if count > 1:
                yield least, last
            count = size = 0
        least = least if count else sequence
        last, count, size = sequence, count + 1, size + more
    if count > 1:
        yield least, last


def _join(group: Sequence[LogBatch]) -> int:
    """Make one object of these; returns how many objects fewer there are."""
    if len(group) < 2:
        return 0  # they were deleted meanwhile
    last = group[-1]
    key = f"{logs.folder_of(last.task_id)}/{last.epoch}/{last.stream}/joined-{token_hex(8)}"
    removals.announce(key)
    try:
        asyncio.run(_store(key, group))
        _replace(key, group)
    except (ObjectMissing, UploadGone):
        removals.hasten(key)  # it was deleted meanwhile; or it stays, and who reads it is told
        return 0
    except StoreAway:
        removals.hasten(key)
        raise
    return len(group) - 1


async def _store(key: str, group: Sequence[LogBatch]) -> None:
    objects = store.current()
    turn = asyncio.Semaphore(READ_AT_ONCE)

    async def line_of(row: LogBatch) -> bytes:
        async with turn:
            content = await store.whole(objects, row.key)
        return b"%d %b %b" % (row.sequence, spelled(row.first_at).encode(), content)

    # One that fails does not cut off the others in the middle of their files.
    found = await asyncio.gather(*map(line_of, group), return_exceptions=True)
    lines = [_or_raised(one) for one in found]
    await objects.put(key, store.one_part(b"\n".join(lines)))


def _or_raised(found: bytes | BaseException) -> bytes:
    if isinstance(found, BaseException):
        raise found
    return found


@transaction.atomic
def _replace(key: str, group: Sequence[LogBatch]) -> None:
    """Let the row of the last batch have the new object, and delete the others."""
    first, last = group[0], group[-1]
    Task.objects.filter(pk=last.task_id).lock().first()
    found = LogBatch.objects.filter(pk__in=[row.pk for row in group])
    if found.count() != len(group):
        raise UploadGone
    removals.keep(key)
    Removal.objects.create(key=last.key)
    LogBatch.objects.filter(pk=last.pk).update(
        key=key,
        first=first.sequence,
        first_at=first.first_at,
        lines=sum(row.lines for row in group),
    )
    found.exclude(pk=last.pk).delete()
