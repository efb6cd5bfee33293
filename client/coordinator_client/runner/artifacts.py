"""The files that a command leaves in its folder of artifacts."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 1000
LARGEST = 1024 * 1024 * 1024
LARGEST_TOTAL = 4 * LARGEST
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A file to upload, or why one is not."""

    name: str
    path: Path
    size: int = 0
    problem: str = ""


def find(folder: Path) -> Iterator[Found]:
    """Regular files, in the order of their names. Links are not followed, nor uploaded."""
    files, total = 0, 0
    for path in sorted(walk(folder)):
        name = path.relative_to(folder).as_posix()
        found = path.lstat()
        if problem := unfit(name, found):
            yield Found(name, path, problem=problem)
            continue
        files, total = files + 1, total + found.st_size
        if files > MOST_FILES:
            yield Found(name, path, problem=f"there are more than {MOST_FILES} files")
            return
        if total > LARGEST_TOTAL:
            yield Found(name, path, problem="the files together are too large")
            return
        yield Found(name, path, found.st_size)


def walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, followlinks=False):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        yield from (Path(place) / name for name in [*files, *links])


def unfit(name: str, found: os.stat_result) -> str:
    if not name.isprintable() or not is_text(name):
        return "its name is not printable"
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_size > LARGEST:
        return f"it is larger than {LARGEST} bytes"
    return ""


def is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(path: Path) -> str:
    """SHA-256 in hex, without following a link."""
    found = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()
