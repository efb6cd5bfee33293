"""Batches of a log that wait on disk while the coordinator is away; bounded."""

from collections.abc import Sequence
from pathlib import Path

LIMIT = 64 * 1024 * 1024


class Spool:
    """A file of batches, first in, first out; each entry is a line of JSON."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.limit = limit
        self.file = path.open("w+b")
        self.path = path
        self.read_at = self.written_to = 0
        self.counts: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.counts)

    def put(self, entries: Sequence[bytes]) -> bool:
        """False if there is no room."""
        content = b"".join(entry + b"\n" for entry in entries)
        if self.written_to + len(content) > self.limit:
            return False
        try:
            self.file.seek(self.written_to)
            self.file.write(content)
            self.file.flush()
        except OSError:
            return False  # the disk is full
        self.written_to += len(content)
        self.counts.append(len(entries))
        return True

    def get(self) -> list[bytes]:
        """The oldest batch; the file is emptied with the last."""
        self.file.seek(self.read_at)
        entries = [self.file.readline()[:-1] for _ in range(self.counts.pop(0))]
        self.read_at = self.file.tell()
        if not self.counts:
            self.file.truncate(0)
            self.read_at = self.written_to = 0
        return entries

    def close(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)
