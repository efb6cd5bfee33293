"""A folder of its own for each command; `/job/…` is in it, and all of it is removed."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from coordinator_client.runner.command import BadCommand

JOB = PurePosixPath("/job")
PREFIX = "run-"
Remover = Callable[[str], None]


class Workspace:
    """`job` is the command's `/job`; beside it are its home, temporary files and artifacts."""

    def __init__(self, top: Path) -> None:
        self.top = Path(tempfile.mkdtemp(prefix=PREFIX, dir=top)).resolve()
        self.job = self.top / "job"
        self.home = self.top / "home"
        self.temporary = self.top / "tmp"
        self.artifacts = self.top / "artifacts"
        for folder in (self.job, self.home, self.temporary, self.artifacts):
            folder.mkdir(mode=0o700)

    def folder(self, path: str) -> Path:
        """The place of `/job/…`, made if needed. Links of the source may not lead out of it."""
        place = self.place(path)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise BadCommand(f"{path} is not a folder") from error
        return self.inside(path, place)

    def place(self, path: str) -> Path:
        """Where `/job/…` is; raises for a path that leaves it. What exists of it is followed."""
        wanted = JOB / path
        if ".." in wanted.parts or not wanted.is_relative_to(JOB):
            raise BadCommand(f"{path} is not in {JOB}")
        return self.inside(path, self.job / wanted.relative_to(JOB))

    def inside(self, path: str, place: Path) -> Path:
        found = place.resolve()
        if not found.is_relative_to(self.job):
            raise BadCommand(f"{path} leads out of {JOB}")
        return found

    def inner(self, place: Path) -> str:
        """What a container calls it."""
        return str(JOB / place.relative_to(self.job))

    def remove(self) -> None:
        remove(self.top)


def remove(folder: Path) -> None:
    """Remove it, also what its owner has made unreadable."""
    shutil.rmtree(folder, onerror=unlock_and_retry)
    if folder.exists():
        raise OSError(f"{folder} could not be removed")


def unlock_and_retry(act: Callable[..., object], path: str, error: object) -> None:
    """Take the rights that are missing, in the folder and on what is in it."""
    try:
        for place in (os.path.dirname(path), path):
            if stat.S_ISDIR(os.lstat(place).st_mode):
                os.chmod(place, stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    except OSError:
        return


def leftovers(top: Path) -> list[Path]:
    return [path for path in top.glob(f"{PREFIX}*") if path.is_dir() and not path.is_symlink()]
