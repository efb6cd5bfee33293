"""The static files of pages, in front of Django. Those of the dashboard are compressed, once.

A page of the dashboard reads some fifty of them, without a build step: compressed they are a third.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from wsgiref.headers import Headers

from whitenoise import WhiteNoise
from whitenoise.responders import StaticFile

TEXTS = frozenset({".css", ".js", ".svg"})
LEAST = 1_000  # bytes, below which it is not worth it


class StaticFiles(WhiteNoise):
    """Serves files of some folders, and the compressed copies of those under `compressed`."""

    def __init__(self, application: Callable[..., Iterable[bytes]], copies: Path) -> None:
        super().__init__(application, add_headers_function=_headers)
        self.copies = copies
        self.compressed: Path | None = None

    def add_compressed(self, folder: str, prefix: str) -> None:
        """Serve the files of a folder, compressed to whoever takes that."""
        self.compressed = Path(folder)
        self.add_files(folder, prefix=prefix)
        self.compressed = None

    def get_static_file(
        self, path: str, url: str, stat_cache: Mapping[str, os.stat_result] | None = None
    ) -> StaticFile:
        """The file as WhiteNoise serves it, with a compressed copy beside it."""
        file = super().get_static_file(path, url, stat_cache=stat_cache)
        copy = self._copy_of(Path(path)) if self.compressed else None
        if copy is None:
            return file
        headers = Headers([])
        self.add_mime_headers(headers, path, url)
        self.add_cache_headers(headers, path, url)
        _headers(headers, path, url)
        return StaticFile(path, headers.items(), encodings={"gzip": str(copy)})

    def _copy_of(self, path: Path) -> Path | None:
        """The compressed copy, made where there is none; None where it would be no use."""
        if path.suffix not in TEXTS or path.stat().st_size < LEAST:
            return None
        content = path.read_bytes()
        copy = self.copies / f"{hashlib.sha256(content).hexdigest()[:32]}.gz"
        try:
            if not copy.exists():
                self.copies.mkdir(mode=0o700, exist_ok=True)
                new = copy.with_suffix(f".{os.getpid()}")
                new.write_bytes(gzip.compress(content, mtime=0))
                new.replace(copy)  # several processes may begin at once
        except OSError:  # a folder that nobody may write to
            return None
        return copy


def _headers(headers: Headers, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
