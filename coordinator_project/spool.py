"""Bytes that wait for a slow client: few of them in memory, more in a temporary file."""

from tempfile import SpooledTemporaryFile
from threading import Lock

from problems import Unavailable

MEMORY = 64 * 1024  # bytes of one body or answer that stay in memory
AT_MOST = 1024 * 1024 * 1024  # bytes of all files of this process


class SpoolFull(Unavailable):
    """Too much waits here for slow clients; try again in a moment."""


class _Files:
    """The size of all files of this process."""

    def __init__(self) -> None:
        self.size = 0
        self.lock = Lock()

    def grow(self, by: int) -> None:
        with self.lock:
            if by > 0 and self.size + by > AT_MOST:
                raise SpoolFull
            self.size += by


_files = _Files()


class Spool:
    """Written first, then read from its `file`. Who made it closes it."""

    def __init__(self) -> None:
        self.file = SpooledTemporaryFile[bytes](max_size=MEMORY)
        self.size = 0
        self.on_disk = 0

    def write(self, part: bytes) -> None:
        """Keep these bytes too. Raises SpoolFull where there is no room for them."""
        size = self.size + len(part)
        on_disk = size if size > MEMORY else 0
        _files.grow(on_disk - self.on_disk)
        self.size, self.on_disk = size, on_disk
        try:
            self.file.write(part)
        except OSError as problem:
            raise SpoolFull from problem

    def close(self) -> None:
        """Remove the file, and make room for others. A second call changes nothing."""
        if not self.file.closed:
            self.file.close()
            _files.grow(-self.on_disk)
