"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def whole_file(target: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Write beside `target` and take its name at the end; `durable` outlives a loss of power.

    What is durable is this program's own and only for its user, other files as the umask has it.
    """
    part = target.parent / f".part-{uuid4().hex}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if durable else 0o666)
    with open(descriptor, "wb") as file:
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.replace(part, target)
        except BaseException:
            part.unlink()
            raise
    if durable:
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
