"""The object store in a folder of this machine.

Ours, because obstore's does not sync what it has written, and follows symbolic links: each folder
on the way is opened by its name in the one before, never through a link. What is being written
stands beside the object under its name and `~`, which no key contains.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Self, TypeVar

from artifacts.exceptions import ObjectMissing, StoreAway
from artifacts.keys import checked_key, checked_prefix
from artifacts.store import StoredObject

PIECE = 256 * 1024  # bytes that are read at a time
BUFFER = 1024 * 1024  # bytes that are written at a time
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would wait for a writer
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}  # also where a link is in the way
UNFINISHED = "~"
TRIES = 5

T = TypeVar("T")


class Files:
    """Objects as files below `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base

    async def put(self, key: str, parts: AsyncIterable[bytes]) -> int:
        """Write the parts beside, sync, and rename. Of two at once, the second is refused."""
        folder, name = _split(checked_key(key))
        file = await _in_thread(partial(self._create, folder, name))
        size, waiting, done = 0, bytearray(), False
        try:
            async for part in parts:
                waiting += part
                size += len(part)
                if len(waiting) >= BUFFER:
                    await _in_thread(partial(_write, file, bytes(waiting)))
                    waiting.clear()
            await _in_thread(partial(self._finish, file, bytes(waiting), folder, name))
            done = True
        finally:
            os.close(file)
            if not done:
                await _in_thread(partial(self._drop, folder, name))
        return size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        folder, name = _split(checked_key(key))
        file = await _in_thread(partial(self._open, folder, name))
        if file is None:
            raise ObjectMissing(key)
        return Parts(file, start, end)

    async def exists(self, key: str) -> bool:
        folder, name = _split(checked_key(key))
        file = await _in_thread(partial(self._open, folder, name))
        if file is not None:
            file.close()
        return file is not None

    async def delete(self, key: str) -> None:
        folder, name = _split(checked_key(key))
        await _in_thread(partial(self._delete, folder, name))

    async def below(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        waiting = [checked_prefix(prefix)]
        while waiting:
            folders, found = await _in_thread(partial(self._look, waiting.pop()))
            waiting += folders
            for one in found:
                yield one

    def _create(self, folder: str, name: str) -> int:
        """Create the unfinished file; others may remove its folders while they are empty."""
        for left in range(TRIES)[::-1]:
            try:
                with self._opened(folder, make=True) as inside:
                    return os.open(name + UNFINISHED, WRITE, 0o600, dir_fd=inside)
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError

    def _finish(self, file: int, rest: bytes, folder: str, name: str) -> None:
        _write(file, rest)
        os.fsync(file)
        with self._opened(folder) as inside:
            os.rename(name + UNFINISHED, name, src_dir_fd=inside, dst_dir_fd=inside)
            os.fsync(inside)

    def _drop(self, folder: str, name: str) -> None:
        with suppress(OSError), self._opened(folder) as inside:
            os.unlink(name + UNFINISHED, dir_fd=inside)

    def _open(self, folder: str, name: str) -> FileIO | None:
        """The file, or None where there is none."""
        try:
            with self._opened(folder) as inside:
                file = os.open(name, READ, dir_fd=inside)
        except OSError as problem:
            if problem.errno in ABSENT:
                return None
            raise
        if stat.S_ISREG(os.fstat(file).st_mode):
            return FileIO(file)
        os.close(file)
        return None

    def _delete(self, folder: str, name: str) -> None:
        """Remove the file, and the folders that are empty then."""
        try:
            with self._opened(folder) as inside:
                for one in (name, name + UNFINISHED):
                    with suppress(FileNotFoundError, IsADirectoryError):
                        os.unlink(one, dir_fd=inside)
        except OSError as problem:
            if problem.errno not in ABSENT:
                raise
        while folder:
            above, last = _split(folder)
            try:
                with self._opened(above) as inside:
                    os.rmdir(last, dir_fd=inside)
            except OSError:
                return  # not empty, or gone
            folder = above

    def _look(self, folder: str) -> tuple[list[str], list[StoredObject]]:
        """The folders in a folder, and its objects."""
        folders: list[str] = []
        found: list[StoredObject] = []
        before = f"{folder}/" if folder else ""
        try:
            with self._opened(folder) as inside, os.scandir(inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(before + entry.name)
                    elif entry.is_file(follow_symlinks=False) and UNFINISHED not in entry.name:
                        size = entry.stat(follow_symlinks=False).st_size
                        found.append(StoredObject(before + entry.name, size))
        except OSError as problem:
            if problem.errno not in ABSENT:
                raise
        return folders, found

    @contextmanager
    def _opened(self, folder: str, *, make: bool = False) -> Iterator[int]:
        """The folder, reached without a link from the base; with `make` it is made."""
        if make:
            self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        inside = os.open(self.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in filter(None, folder.split("/")):
                if make:
                    _make(name, inside)
                before, inside = inside, os.open(name, FOLDER, dir_fd=inside)
                os.close(before)
            yield inside
        finally:
            os.close(inside)


class Parts:
    """The parts of an open file; it is closed at its end, or by whoever reads no further."""

    def __init__(self, file: FileIO, start: int, end: int | None) -> None:
        self.file, self.start, self.end = file, start, end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        most = PIECE if self.end is None else min(PIECE, self.end - self.start)
        part = b""
        if most > 0 and not self.file.closed:
            part = await _in_thread(partial(os.pread, self.file.fileno(), most, self.start))
        if not part:
            self.close()
            raise StopAsyncIteration
        self.start += len(part)
        return part

    def close(self) -> None:
        self.file.close()


def _make(name: str, inside: int) -> None:
    """Make a folder, durably; another may make it, or remove it while it is empty, meanwhile."""
    try:
        os.mkdir(name, 0o700, dir_fd=inside)
    except FileExistsError:
        return
    os.fsync(inside)


def _write(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name


async def _in_thread(call: Callable[[], T]) -> T:
    """Run the call in a thread without a connection; what the file system refuses is StoreAway.

    Who is cancelled waits for it too: the thread may use a file that is closed next.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
    except OSError as problem:
        raise StoreAway(f"The object store cannot be used: {problem.strerror}.") from problem
