"""The object store in S3 or what speaks like it, in Google's cloud, or in memory; by obstore."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import GCSStore, MemoryStore, S3Store

from artifacts.exceptions import ObjectMissing, StoreAway
from artifacts.keys import checked_key, checked_prefix
from artifacts.store import StoredObject

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # which are no classes at run time

PART = 8 * 1024 * 1024  # bytes of a part that is sent at once
AT_ONCE = 2  # parts of one upload
PIECE = 1024 * 1024  # bytes that are asked for at a time, so that no answer waits for a slow reader

CLIENT: ClientConfig = {"connect_timeout": "5s", "timeout": "120s"}
RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}

Store = S3Store | GCSStore | MemoryStore


class Cloud:
    """Objects of one of obstore's stores."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def of(
        cls, *, kind: str, bucket: str, prefix: str, options: Mapping[str, Any], base_path: str
    ) -> Cloud:
        """The store that the settings name; what they leave out, obstore finds as AWS_… has it."""
        if kind == "memory":
            return cls(MemoryStore())
        given = dict(options)
        client: ClientConfig = {**CLIENT, "allow_http": given.pop("allow_http", False)}
        made: Any = S3Store if kind == "s3" else GCSStore
        return cls(
            made(
                bucket, prefix=prefix or None, client_options=client, retry_config=RETRIES, **given
            )
        )

    async def put(self, key: str, parts: AsyncIterable[bytes]) -> int:
        checked_key(key)
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for part in parts:
                size += len(part)
                yield part

        with _failures():
            await obstore.put_async(
                self.store, key, counted(), chunk_size=PART, max_concurrency=AT_ONCE
            )
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """An object is asked for piece by piece."""
        checked_key(key)
        with _failures():
            size = (await obstore.head_async(self.store, key))["size"]
        return self._read(key, start, size if end is None else min(end, size))

    async def _read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            until = min(end, start + PIECE)
            with _failures():
                part = await obstore.get_range_async(self.store, key, start=start, end=until)
            yield bytes(part)
            start = until

    async def exists(self, key: str) -> bool:
        try:
            with _failures():
                await obstore.head_async(self.store, checked_key(key))
        except ObjectMissing:
            return False
        return True

    async def delete(self, key: str) -> None:
        try:
            with _failures():
                await obstore.delete_async(self.store, checked_key(key))
        except ObjectMissing:
            pass

    async def below(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        with _failures():
            async for some in obstore.list(self.store, checked_prefix(prefix) or None):
                for one in some:
                    yield StoredObject(one["path"], one["size"])


@contextmanager
def _failures() -> Iterator[None]:
    """What the store cannot do is StoreAway; its own words go to the log alone."""
    try:
        yield
    except FileNotFoundError as missing:
        raise ObjectMissing(str(missing).partition("\n")[0]) from None
    except (BaseError, OSError) as problem:
        raise StoreAway from problem
