"""An agent's folder: who it is, that it is alone, and what it still has to report."""

import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import IO
from urllib.parse import quote

from coordinator_client.config import state_path
from coordinator_client.errors import Misconfigured

MOST = 1000


class State:
    """A folder that only this process uses, until it ends."""

    def __init__(self, agent_id: str, folder: Path, lock: IO[bytes]) -> None:
        self.agent_id = agent_id
        self.folder = folder
        self._lock = lock

    def close(self) -> None:
        self._lock.close()

    def subfolder(self, name: str) -> Path:
        return private(self.folder / name)


def take(agent_id: str | None, top: Path | None) -> State:
    """Lock the folder of this agent; without an id, of the first of this machine that is free."""
    top = private(top or state_path() / "agents")
    if agent_id:
        found = lock(agent_id, top)
        if found is None:
            raise Misconfigured(f"an agent {agent_id!r} runs already with the state in {top}")
        return found
    for number in range(1, MOST):
        if found := lock(f"{socket.gethostname()}-{number}", top):
            return found
    raise Misconfigured(f"{MOST} agents run already with the state in {top}")


def lock(agent_id: str, top: Path) -> State | None:
    folder = private(top / quote(agent_id, safe="").replace(".", "%2E"))
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return State(agent_id, folder, file)


def private(folder: Path) -> Path:
    """Make the folder if needed. Raises if it is another user's, and takes others' rights away."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Misconfigured(f"{folder} is not a folder of this user")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
