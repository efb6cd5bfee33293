"""The object store: where the bytes of logs and files are; the database has all the rest.

    async for part in await store.current().get(key): ...

Every call is for the event loop: what blocks runs in a thread.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the store."""

    key: str
    size: int


class ObjectStore(Protocol):
    """Objects by their keys (`keys.checked_key`). Failures of the store are StoreAway."""

    async def put(self, key: str, parts: AsyncIterable[bytes]) -> int:
        """Store these parts as one object, in place of what was there; returns its size.

        Readers find the whole of it or nothing. When `parts` raises, nothing is stored.
        """
        ...

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, part by part. Raises ObjectMissing."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None:
        """Remove the object, and what an interrupted `put` has left; no object is no error."""
        ...

    def below(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """The objects in this folder and below it."""
        ...


async def whole(store: ObjectStore, key: str) -> bytes:
    """A small object in one piece."""
    return b"".join([part async for part in await store.get(key)])


async def one_part(content: bytes) -> AsyncIterator[bytes]:
    """A small object as `put` takes it."""
    yield content


def current() -> ObjectStore:
    """The store of the settings, of which a process has one."""
    return _made(tuple(sorted(settings.OBJECT_STORE.items())))


@cache
def _made(given: tuple[tuple[str, Any], ...]) -> ObjectStore:
    from artifacts import cloud, files  # what is not used need not be there

    wanted: Mapping[str, Any] = dict(given)
    if wanted["kind"] == "filesystem":
        return files.Files(Path(wanted["base_path"]))
    return cloud.Cloud.of(**wanted)
