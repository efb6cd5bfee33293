"""All artifacts of a task as one ZIP archive, made while it is read."""

import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator

from artifacts import store
from artifacts.exceptions import ObjectLost, ObjectMissing
from artifacts.models import Artifact

EARLIEST = (1980, 1, 1, 0, 0, 0)  # that an archive can say
FILE = 0o100644 << 16


class _Pipe:
    """What the archive writes, until it is taken; it cannot go back."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, part: bytes) -> int:
        self.held += part
        return len(part)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self.held)
        self.held.clear()
        return taken


async def archive_of(artifacts: Iterable[Artifact]) -> AsyncIterator[bytes]:
    """The archive, part by part; files are not compressed, since most are already."""
    pipe, objects = _Pipe(), store.current()
    with zipfile.ZipFile(pipe, "w") as archive:  # type: ignore[call-overload]  # write and flush will do
        for name, artifact in named(artifacts):
            made = max(artifact.created_at.timetuple()[:6], EARLIEST)
            info = zipfile.ZipInfo(name, made)
            info.external_attr = FILE
            with archive.open(info, "w", force_zip64=True) as file:
                try:
                    parts = await objects.get(artifact.key)
                except ObjectMissing:
                    raise ObjectLost from None
                async for part in parts:
                    file.write(part)
                    yield pipe.take()
    yield pipe.take()


def named(artifacts: Iterable[Artifact]) -> Iterator[tuple[str, Artifact]]:
    """The name of each: its path, or below its attempt where a later one has sent that path."""
    used: set[str] = set()
    for artifact in artifacts:
        name = artifact.path
        while name in used:
            name = f"attempt-{artifact.epoch}/{name}"
        used.add(name)
        yield name, artifact
