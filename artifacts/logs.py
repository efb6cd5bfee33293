"""Taking in the batches of a task's log; each is one object and one row.

The row is made, and the number of the batch compared, while the task is locked: so of two batches
with one number, one is accepted, and an agent that has lost its lease adds nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from secrets import token_hex
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from artifacts import removals, store
from artifacts.exceptions import SequenceGap, SequenceUsed
from artifacts.models import LogBatch
from artifacts.serializers import Entry
from artifacts.threads import in_thread
from problems import Problem
from tasks import leases
from tasks.masking import Masker
from tasks.secrets import masker_of

BETWEEN = "\0"
ROW = 512  # bytes that the row of a batch counts for: with its indexes, about what it takes


@dataclass(frozen=True)
class Batch:
    """Some lines, as an agent has sent them."""

    task_id: UUID
    agent_id: str
    epoch: int
    stream: str
    sequence: int
    entries: Sequence[Entry]

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps(self.entries)).hexdigest()

    @property
    def first_at(self) -> datetime:
        return datetime.fromisoformat(self.entries[0][0])

    @property
    def last_at(self) -> datetime:
        """The latest time of all, which need not be the last one's."""
        return datetime.fromisoformat(max(at for at, _ in self.entries))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that is new, as its object: under which key, with which bytes. `text`: of its lines.

    `size` is what it counts for in the log: its object, and its row.
    """

    key: str
    content: bytes
    text: int

    @property
    def size(self) -> int:
        return len(self.content) + ROW


async def accept(batch: Batch) -> int:
    """Keep the batch; returns the number up to which its stream has been accepted.

    The same batch again changes nothing. Raises SequenceUsed, SequenceGap, or why the agent does
    not hold the task. Where the log is too large, the batch is counted and thrown away.
    """
    prepared = await in_thread(partial(_prepare, batch))
    if prepared is not None:
        await store.current().put(prepared.key, store.one_part(prepared.content))
        await in_thread(partial(_finish, batch, prepared))
    return batch.sequence


@transaction.atomic
def _prepare(batch: Batch) -> Prepared | None:
    """The batch as an object that is announced; None where nothing is to be stored."""
    leases.held(batch.task_id, agent_id=batch.agent_id, epoch=batch.epoch)
    before = _before(batch)
    if _is_known(batch, before):
        return None
    masked = _masked(masker_of(batch.task_id), [message for _, message in batch.entries])
    lines = [
        {"at": at, "message": message}
        for (at, _), message in zip(batch.entries, masked, strict=True)
    ]
    head = {"attempt": batch.epoch, "stream": batch.stream, "sequence": batch.sequence}
    name = f"{batch.sequence:020}-{token_hex(8)}"  # so that no two uploads ever have one key
    prepared = Prepared(
        f"{folder_of(batch.task_id)}/{batch.epoch}/{batch.stream}/{name}",
        orjson.dumps(head | {"entries": lines}),
        sum(len(line["message"].encode()) + 1 for line in lines),
    )
    if _is_full(batch.task_id, prepared.size):
        _leave_out(batch, before, prepared.text)
        return None
    removals.announce(prepared.key)
    return prepared


def _masked(mask: Masker, messages: Sequence[str]) -> list[str]:
    """All messages without secrets, looked through at once; none of them has a NUL."""
    return mask(BETWEEN.join(messages)).split(BETWEEN)


def _finish(batch: Batch, prepared: Prepared) -> None:
    """Make the row of what has been stored, or see to its removal where another was faster."""
    try:
        kept = _keep(batch, prepared)
    except Problem:
        removals.hasten(prepared.key)
        raise
    if not kept:
        removals.hasten(prepared.key)


@transaction.atomic
def _keep(batch: Batch, prepared: Prepared) -> bool:
    leases.held(batch.task_id, agent_id=batch.agent_id, epoch=batch.epoch)
    before = _before(batch)
    if _is_known(batch, before):
        return False
    if _is_full(batch.task_id, prepared.size):
        _leave_out(batch, before, prepared.text)
        return False
    removals.keep(prepared.key)
    first = max(batch.first_at, before.last_at) if before else batch.first_at
    LogBatch.objects.create(
        **_name_of(batch),
        sequence=batch.sequence,
        digest=batch.digest,
        key=prepared.key,
        lines=len(batch.entries),
        start=size_of(batch.task_id),
        size=prepared.size,
        first_at=first,
        last_at=max(first, batch.last_at),
    )
    return True


def _is_known(batch: Batch, before: LogBatch | None) -> bool:
    """Whether this batch has been accepted. Raises unless it is that or the next one."""
    last = before.sequence if before else 0
    if batch.sequence > last + 1:
        raise SequenceGap(f"The next batch of {batch.stream} has the number {last + 1}.")
    if batch.sequence == last + 1:
        return False
    rows = LogBatch.objects.filter(**_name_of(batch), sequence=batch.sequence)
    digest = rows.values_list("digest", flat=True).first()
    # Of what was left out, only the last one is remembered.
    if digest is not None and digest != batch.digest:
        raise SequenceUsed(f"Another batch of {batch.stream} has the number {batch.sequence}.")
    return True


def _is_full(task_id: UUID, more: int) -> bool:
    """Whether the log has no room for so many bytes, or had none before."""
    if size_of(task_id) + more > settings.LOG_MAX_BYTES:
        return True
    return LogBatch.objects.filter(task=task_id, left_out__gt=0).exists()


def _leave_out(batch: Batch, before: LogBatch | None, text: int) -> None:
    """Count the text that is thrown away; one row stands for all of it in a stream."""
    last = batch.last_at
    if before and before.left_out:
        LogBatch.objects.filter(pk=before.pk).update(
            sequence=batch.sequence,
            digest=batch.digest,
            left_out=F("left_out") + text,
            last_at=max(before.last_at, last),
        )
        return
    at = max(before.last_at, last) if before else last
    LogBatch.objects.create(
        **_name_of(batch),
        sequence=batch.sequence,
        digest=batch.digest,
        start=size_of(batch.task_id),
        left_out=text,
        first_at=at,
        last_at=at,
    )


def _before(batch: Batch) -> LogBatch | None:
    """The last batch of this stream of this lease."""
    return LogBatch.objects.filter(**_name_of(batch)).order_by("-sequence").first()


def _name_of(batch: Batch) -> dict[str, object]:
    return {"task_id": batch.task_id, "epoch": batch.epoch, "stream": batch.stream}


def size_of(task_id: UUID) -> int:
    """How many bytes the log of a task counts for."""
    last = LogBatch.objects.filter(task=task_id, left_out=0).order_by("-id").first()
    return last.start + last.size if last else 0


def left_out_of(task_id: UUID, epoch: int, streams: Sequence[str]) -> int:
    """How many bytes of text of an attempt were thrown away."""
    rows = LogBatch.objects.filter(task=task_id, epoch=epoch, stream__in=streams, left_out__gt=0)
    total: int | None = rows.aggregate(total=Sum("left_out"))["total"]
    return total or 0


def folder_of(task_id: UUID) -> str:
    """The keys of all batches of a task begin with this."""
    return f"logs/{task_id}"
