"""The coordinators of a run: their processes by role, started again when they have ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psutil
import psycopg

from benchmarks.coordinator import OURS
from coordinator_project import lifeline
from coordinator_project.cluster import DATABASE, ROLE, free_port
from coordinator_project.env import BASE_DIR

START_WITHIN = 120.0
LEAVE_WITHIN = 20.0
AGAIN_AFTER = 1.0  # seconds until one that ended is started again, as systemd would do it
SERVES = "Coordinator serves http"
ROLES = {"http": "http", "bulk": "http", "maintenance": "maintenance"}  # names that `serve` gives


class StartFailed(Exception):
    """A coordinator of the run does not start."""


@dataclass
class Server:
    """One `manage.py serve`, on the same port after every start."""

    name: str
    folder: Path
    log: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    starts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    read: int = 0  # bytes of the log before the last start

    def start(self) -> None:
        self.folder.mkdir(mode=0o711, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        environment |= {"COORDINATOR_DATA_DIR": str(self.folder)}
        environment |= {"COORDINATOR_SEARCH_ROOTS": "off"}
        environment |= {"COORDINATOR_PORT": str(self.port), **self.settings}
        parent = os.getpid()
        with self.log.open("ab") as log:
            self.read = log.tell()
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, str(BASE_DIR / "manage.py"), "serve"],
                cwd=BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us
                preexec_fn=lambda: lifeline.die_with(parent, signal.SIGTERM),
            )
        self.starts += 1

    @property
    def is_serving(self) -> bool:
        """Whether it has said so since its last start."""
        with self.log.open("rb") as log:
            log.seek(self.read)
            return SERVES.encode() in log.read()

    def wait_until_serving(self, within: float = START_WITHIN) -> None:
        deadline = time.monotonic() + within
        while not self.is_serving:
            if self.ended() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace")[-2000:]
                raise StartFailed(f"Coordinator {self.name} does not start: {said}")
            time.sleep(0.05)

    def ended(self) -> int | None:
        """The exit code, once it has ended."""
        return self.process.poll() if self.process else None

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        family = self.family()
        self.process.terminate()
        try:
            self.process.wait(LEAVE_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
        for process in psutil.wait_procs(family, 5)[1]:
            process.kill()

    def family(self) -> list[psutil.Process]:
        """All its descendants."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def processes(self, role: str) -> list[psutil.Process]:
        """Those that are `http`, `maintenance`, `supervisor` or `postmaster` now."""
        return [process for process in self.family() if role_of(process) == role]


def role_of(process: psutil.Process) -> str:
    """What a process of a coordinator does, as its name and command show it; else ""."""
    try:
        name, parent = process.name().split("-")[0], process.parent()
        if name == "postgres":
            return "postmaster" if parent and role_of(parent) == "supervisor" else "backend"
        if "coordinator_project.supervisor" in " ".join(process.cmdline()):
            return "supervisor"
        return ROLES.get(name, "")
    except psutil.NoSuchProcess:
        return ""


@dataclass(frozen=True)
class Postgres:
    """The embedded database of the first coordinator, whose data folder is `folder`."""

    folder: Path

    def port(self) -> int:
        announced: dict[str, str | int] = orjson.loads(
            (self.folder / "postgres.running").read_bytes()
        )
        return int(announced["port"])

    def url(self, port: int) -> str:
        password = (self.folder / "postgres.password").read_text()
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"

    def connect(self) -> psycopg.Connection:
        """A connection past every proxy, as PostgreSQL's own superuser."""
        return psycopg.connect(
            self.url(self.port()), autocommit=True, application_name="chaos", connect_timeout=5
        )


def keep_running(servers: list[Server], say: Callable[[str, int], None]) -> None:
    """Start those again that have ended by themselves, and say so with their exit code."""
    for server in servers:
        code = server.ended()
        if code is not None:
            say(server.name, code)
            time.sleep(AGAIN_AFTER)
            server.start()
