"""The embedded PostgreSQL, for processes without a configured database.

    with embedded.database(folder) as database:
        psycopg.connect(database.url)

The first to enter starts the server, the last to leave stops it, and a killed process has left.
See supervisor.py for how.
"""

import fcntl
import json
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

from coordinator_project.cluster import DATABASE, ROLE, EmbeddedFailed
from coordinator_project.env import BASE_DIR

PATIENCE = 60.0
# Supervisors that this process started; as their parent it has to reap them.
_STARTED: "list[subprocess.Popen[bytes]]" = []
LARGE_LOG = 10 * 1024 * 1024


@dataclass(frozen=True)
class Database:
    """A running embedded database; `home` is the folder of its files."""

    folder: Path
    home: Path
    port: int
    url: str


@contextmanager
def database(folder: Path, *, durable: bool = True) -> Iterator[Database]:
    """The database of the data folder `folder`, which runs at least until the block ends.

    `durable=False` is for tests: committed data may not survive a crash of the machine.
    """
    folder = folder.absolute()
    try:
        # PostgreSQL's user must be able to pass through, but not to list the folder.
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        users = private(folder / "postgres.users")
    except OSError as problem:
        raise EmbeddedFailed(
            f"The data folder {folder} cannot be used ({problem.strerror}): "
            "set COORDINATOR_DATA_DIR to one that you may write to."
        ) from problem
    with users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is stopping
        try:
            yield _running(folder, durable=durable)
        finally:
            _leave(folder, users.fileno())


def private(path: Path) -> IO[bytes]:
    """Open the file at `path`, readable by its owner only, to append to it or to lock it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def revive(folder: Path, url: str) -> None:
    """Start the server again at the same address if it was killed with its supervisor."""
    if not _is_supervised(folder) and _running(folder, durable=True).url != url:
        raise EmbeddedFailed("The embedded PostgreSQL died, and its port was taken.")


def home_of(folder: Path) -> Path:
    """The folder of the running server's files."""
    return Path(str(_announced(folder)["home"]))


def _running(folder: Path, *, durable: bool) -> Database:
    """Start a supervisor unless there is one, and wait until the server answers."""
    supervisor: subprocess.Popen[bytes] | None = None
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if supervisor is not None and supervisor.poll() is not None:
            raise EmbeddedFailed(_last_words(folder))
        found = _found(folder) if _is_supervised(folder) else None
        if found is not None:
            return found
        supervisor = supervisor or _supervise(folder, durable=durable)
        time.sleep(0.01)
    raise EmbeddedFailed(f"The embedded PostgreSQL did not start in time. {_last_words(folder)}")


def _supervise(folder: Path, *, durable: bool) -> "subprocess.Popen[bytes] | None":
    """Start a supervisor that inherits the lock; None if another process was faster."""
    with private(folder / "postgres.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        # After a crash, the file still has the port that sessions reconnect to.
        port = _announced(folder).get("port", 0)
        (folder / "postgres.running").unlink(missing_ok=True)
        durability = "durable" if durable else "volatile"
        with _log(folder) as log:
            supervisor = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    *("-m", "coordinator_project.supervisor"),
                    *(str(folder), durability, str(port)),
                ],
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C must not reach the server
            )
        _STARTED.append(supervisor)
        return supervisor


def _found(folder: Path) -> Database | None:
    """The announced server, if it answers; creates its database the first time."""
    announced = _announced(folder)
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


def _announced(folder: Path) -> dict[str, str | int]:
    try:
        found: dict[str, str | int] = json.loads((folder / "postgres.running").read_text())
    except (OSError, ValueError):
        return {}
    return found


def _is_supervised(folder: Path) -> bool:
    return not _is_free(folder / "postgres.lock")


def _is_free(path: Path) -> bool:
    with private(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
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
    _STARTED[:] = [supervisor for supervisor in _STARTED if supervisor.poll() is None]


def _log(folder: Path) -> IO[bytes]:
    """The server's log file; a large one is deleted first."""
    path = folder / "postgres.log"
    if path.exists() and path.stat().st_size > LARGE_LOG:
        path.unlink()
    return private(path)


def _last_words(folder: Path) -> str:
    lines = (folder / "postgres.log").read_text(errors="replace").splitlines()
    return "The embedded PostgreSQL does not run: " + "\n".join(lines[-5:])
