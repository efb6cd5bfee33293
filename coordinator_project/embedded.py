"""The embedded PostgreSQL, for processes without a configured database.

    with embedded.database(folder) as database:
        psycopg.connect(database.url)

The first to enter starts the server, the last to leave stops it, and a killed process has left.
See supervisor.py for how.
"""

import fcntl
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from coordinator_project import budget
from coordinator_project.address import Address
from coordinator_project.cluster import DATABASE, ROLE, EmbeddedFailed
from coordinator_project.env import BASE_DIR, processes

PATIENCE = 60.0
SAY_EVERY = 30.0  # seconds between two lines about a start that takes long
REVIVE_EVERY = 3.0  # seconds between two starts of a supervisor that does not live
LARGE_LOG = 10 * 1024 * 1024

log = logging.getLogger("coordinator.serve")


# Supervisors that this process started; as their parent it has to reap them.
_STARTED: "list[subprocess.Popen[bytes]]" = []


@dataclass(frozen=True)
class Database:
    """A running embedded database; `home` is the folder of its files."""

    folder: Path
    home: Path
    port: int
    url: str


@contextmanager
def database(
    folder: Path, *, durable: bool = True, patience: float = PATIENCE
) -> Iterator[Database]:
    """The database of the data folder `folder`, which runs at least until the block ends.

    `durable=False` is for tests: committed data may not survive a crash of the machine. A server
    that goes through a long log after a crash may need more than the usual `patience`.
    """
    folder = folder.absolute()
    with open_in(folder, "postgres.users") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is stopping
        try:
            yield _running(folder, users.fileno(), durable=durable, patience=patience)
        finally:
            _leave(folder, users.fileno())


def open_in(folder: Path, name: str) -> IO[bytes]:
    """Open a file of the data folder to lock it; the folder is made if it is missing.

    Raises EmbeddedFailed, which says what helps, if the folder cannot be used.
    """
    try:
        # PostgreSQL's user must be able to pass through, but not to list the folder.
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        return private(folder / name)
    except OSError as problem:
        raise EmbeddedFailed(
            f"The data folder {folder} cannot be used ({problem.strerror}): "
            "set COORDINATOR_DATA_DIR to one that you may write to."
        ) from problem


def private(path: Path) -> IO[bytes]:
    """Open the file at `path`, readable by its owner only, to append to it or to lock it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


@dataclass
class Reviver:
    """Starts the supervisor of a data folder again when it was killed."""

    folder: Path
    tried_at: float = -math.inf

    def look(self) -> None:
        """Start a supervisor if there is none; it goes on trying at the same address.

        Returns at once. One that could not start either is started again a while later.
        """
        if _is_supervised(self.folder) or time.monotonic() < self.tried_at + REVIVE_EVERY:
            return
        self.tried_at = time.monotonic()
        log.error("The embedded PostgreSQL died; it starts again.")
        _reap()
        try:
            _supervise(self.folder, None, durable=True)
        except OSError as problem:  # no memory, no process, no file
            log.warning(
                "The embedded PostgreSQL cannot be started.", extra={"problem": str(problem)}
            )


def home_of(folder: Path) -> Path:
    """The folder of the running server's files."""
    return Path(str(Address(folder).announced()["home"]))


def _running(folder: Path, users: int, *, durable: bool, patience: float) -> Database:
    """Start a supervisor unless there is one, and wait until the server answers."""
    supervisor: subprocess.Popen[bytes] | None = None
    deadline, say_at = time.monotonic() + patience, time.monotonic() + SAY_EVERY
    while time.monotonic() < deadline:
        if supervisor is not None and supervisor.poll() is not None:
            raise EmbeddedFailed(f"The embedded PostgreSQL does not run. {_last_words(folder)}")
        found = _found(folder) if _is_supervised(folder) else None
        if found is not None:
            return found
        supervisor = supervisor or _supervise(folder, users, durable=durable)
        if time.monotonic() > say_at:
            print(f"PostgreSQL still starts. {_last_words(folder)}", file=sys.stderr)  # noqa: T201
            say_at += SAY_EVERY
        time.sleep(0.01)
    raise EmbeddedFailed(f"The embedded PostgreSQL did not start in time. {_last_words(folder)}")


def _supervise(
    folder: Path, users: int | None, *, durable: bool
) -> "subprocess.Popen[bytes] | None":
    """Start a supervisor that inherits the lock; None if another process was faster.

    `users` is our own lock as a user, with which one can see whether others have sessions at the
    address from before; without it they have.
    """
    connections = budget.embedded(processes())
    with private(folder / "postgres.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        port = Address(folder).withdraw()
        keep_port = port and (users is None or not _is_alone(users))
        with _log(folder) as output:
            supervisor = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    *("-m", "coordinator_project.supervisor", str(folder)),
                    "durable" if durable else "volatile",
                    *(str(connections), str(port), "keep" if keep_port else "any"),
                ],
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C must not reach the server
            )
        _STARTED.append(supervisor)
        return supervisor


def _found(folder: Path) -> Database | None:
    """The announced server, if it answers; creates its database the first time."""
    announced = Address(folder).announced()
    if not announced:
        return None
    port = int(announced["port"])
    password = (folder / "postgres.password").read_text()
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=ROLE,
            password=password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if known.fetchone() is None:
                name = sql.Identifier(DATABASE)
                connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    except (psycopg.OperationalError, psycopg.errors.UniqueViolation):
        return None
    except psycopg.errors.DuplicateDatabase:
        pass
    url = f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"
    return Database(folder, Path(str(announced["home"])), port, url)


def _is_supervised(folder: Path) -> bool:
    return not _is_free(folder / "postgres.lock")


def _is_free(path: Path) -> bool:
    with private(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_alone(users: int) -> bool:
    """Whether no other process uses the server of this lock file; its lock is held afterwards.

    Only while no supervisor runs, which would take the lock in between for the end of all use.
    """
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        fcntl.flock(users, fcntl.LOCK_SH)
    return True


def _leave(folder: Path, users: int) -> None:
    """Stop using the server; the last user waits until it has stopped."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    fcntl.flock(users, fcntl.LOCK_UN)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and _is_supervised(folder):
        time.sleep(0.02)
        used = not _is_free(folder / "postgres.users")
        if used and (folder / "postgres.running").exists():
            break  # another user has come meanwhile
    _reap()


def _reap() -> None:
    _STARTED[:] = [supervisor for supervisor in _STARTED if supervisor.poll() is None]


def _log(folder: Path) -> IO[bytes]:
    """The server's log file; a large one is deleted first."""
    path = folder / "postgres.log"
    if path.exists() and path.stat().st_size > LARGE_LOG:
        path.unlink()
    return private(path)


def _last_words(folder: Path) -> str:
    lines = (folder / "postgres.log").read_text(errors="replace").splitlines()
    return "Its log ends with:\n" + "\n".join(lines[-5:])
