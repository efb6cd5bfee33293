"""Taking in a task's artifacts: streamed to the store, and checked before they are kept."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from artifacts import removals, room, store
from artifacts.exceptions import ArtifactTooLarge, DigestDiffers
from artifacts.models import Artifact
from artifacts.threads import in_thread
from tasks import leases

HASHED_AT_ONCE = 1024 * 1024  # bytes; the hash of so many is made in a thread
RENEWED_AFTER = 16 * 1024 * 1024  # bytes after which room is reserved for what has come
RENEWED_EVERY = 30.0  # seconds; a client that sends nothing for 20 is cut


@dataclass(frozen=True, slots=True)
class Upload:
    """An artifact as an agent announces it. `length`: 0 where it does not say."""

    task_id: UUID
    agent_id: str
    epoch: int
    path: str
    sha256: str
    content_type: str
    length: int = 0


@dataclass(slots=True)
class Incoming:
    """The body on its way to the store: it is counted, and hashed. `renew` gets its size."""

    parts: AsyncIterator[bytes]
    expected: str
    renew: Callable[[int], Awaitable[None]]
    size: int = 0

    async def checked(self) -> AsyncIterator[bytes]:
        """The parts. Raises at once if they are too many, at the end if they are not as expected.

        So the store keeps nothing of them.
        """
        digest, waiting = hashlib.sha256(), bytearray()
        renewed_at, renewed_size = time.monotonic(), 0
        async for part in self.parts:
            self.size += len(part)
            _check_size(self.size)
            now = time.monotonic()
            if self.size - renewed_size >= RENEWED_AFTER or now - renewed_at >= RENEWED_EVERY:
                await self.renew(self.size)
                renewed_at, renewed_size = now, self.size
            waiting += part
            if len(waiting) >= HASHED_AT_ONCE:
                piece = bytes(waiting)
                waiting.clear()
                await asyncio.to_thread(digest.update, piece)
                yield piece
        digest.update(waiting)
        if digest.hexdigest() != self.expected:
            raise DigestDiffers(f"The SHA-256 of the body is {digest.hexdigest()}.")
        yield bytes(waiting)


async def accept(upload: Upload, parts: AsyncIterator[bytes]) -> tuple[Artifact, bool]:
    """Keep the artifact; returns it, and whether it is new. Another of its path is replaced.

    The same one again changes nothing, and is not read. Raises what is wrong with it, or why the
    agent does not hold the task; then nothing is kept.
    """
    _check_size(upload.length)
    key = f"{folder_of(upload.task_id)}/{upload.epoch}/{token_hex(16)}"
    known = await in_thread(partial(_begin, upload, key))
    if known is not None:
        return known, False

    async def renew(size: int) -> None:
        await in_thread(partial(_renew, upload, key, size))

    try:
        incoming = Incoming(parts, upload.sha256, renew)
        await store.current().put(key, incoming.checked())
        return await in_thread(partial(_keep, upload, key, incoming.size))
    except BaseException:
        await in_thread(partial(_give_up, key))
        raise


@transaction.atomic
def _begin(upload: Upload, key: str) -> Artifact | None:
    """Announce the object, with room for it; or return the artifact that is there already."""
    leases.held(upload.task_id, agent_id=upload.agent_id, epoch=upload.epoch)
    before = _at_path(upload)
    if before is not None and before.sha256 == upload.sha256:
        return before
    room.reserve(upload.task_id, key, upload.length, instead_of=before)
    removals.announce(key)
    return None


@transaction.atomic
def _renew(upload: Upload, key: str, size: int) -> None:
    """Go on reserving room, for all that has come. Raises where the lease was lost meanwhile."""
    leases.held(upload.task_id, agent_id=upload.agent_id, epoch=upload.epoch)
    size = max(size, upload.length)
    room.reserve(upload.task_id, key, size, instead_of=_at_path(upload))


@transaction.atomic
def _give_up(key: str) -> None:
    removals.hasten(key)
    room.give_back(key)


@transaction.atomic
def _keep(upload: Upload, key: str, size: int) -> tuple[Artifact, bool]:
    """Make the row of what has been stored, or let the one before have it."""
    leases.held(upload.task_id, agent_id=upload.agent_id, epoch=upload.epoch)
    room.give_back(key)
    before = _at_path(upload)
    if before is not None and before.sha256 == upload.sha256:
        removals.hasten(key)
        return before, False
    room.check(upload.task_id, size, instead_of=before)
    removals.keep(key)
    Artifact.objects.update_or_create(
        task_id=upload.task_id,
        epoch=upload.epoch,
        path=upload.path,
        defaults={
            "key": key,
            "size": size,
            "sha256": upload.sha256,
            "content_type": upload.content_type,
            "created_at": Now(),
        },
    )
    return Artifact.objects.get(task=upload.task_id, epoch=upload.epoch, path=upload.path), True


def _at_path(upload: Upload) -> Artifact | None:
    rows = Artifact.objects.filter(task=upload.task_id, epoch=upload.epoch, path=upload.path)
    return rows.first()


def _check_size(size: int) -> None:
    if size > settings.ARTIFACT_MAX_BYTES:
        raise ArtifactTooLarge(f"The artifact is larger than {settings.ARTIFACT_MAX_BYTES} bytes.")


def folder_of(task_id: UUID) -> str:
    """The keys of all artifacts of a task begin with this."""
    return f"artifacts/{task_id}"
