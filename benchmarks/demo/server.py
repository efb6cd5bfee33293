"""The coordinator that the demonstration speaks to: one that runs, or else one of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused, Wire
from coordinator_project import embedded, env, lifeline

READY_WITHIN = 60.0
STOP_WITHIN = 20.0
SETTINGS = ("COORDINATOR_", "ORHESTRA_", "DATABASE_URL", "DB_URI", "PORT", "DJANGO_")


class NoCoordinator(Exception):
    """There is no coordinator to speak to."""


@contextmanager
def found(token: str) -> Iterator[str]:
    """The address of a running coordinator; where none is named and none runs, of a new one.

    The new one keeps its data in a folder of its own and ends with the block.
    """
    named = os.environ.get("COORDINATOR_URL", "").rstrip("/")
    port = os.environ.get("COORDINATOR_PORT") or "8080"
    url = named or f"http://127.0.0.1:{port}"
    if _answers(url, token):
        yield url
    elif named:
        raise NoCoordinator(f"No coordinator answers at {url}, which COORDINATOR_URL names.")
    else:
        # A folder that stays: as root, binaries may be copied for it, which is better done once.
        with _started(os.environ, env.data_dir() / "demo") as url:
            yield url


@contextmanager
def fresh(**settings: str) -> Iterator[str]:
    """The address of a new coordinator that knows nothing but these settings; it leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="coordinator-demo-") as top:
        Path(top).chmod(0o711)  # PostgreSQL's own user has to pass through
        with in_folder(Path(top, "data"), **settings) as url:
            yield url


@contextmanager
def in_folder(folder: Path, **settings: str) -> Iterator[str]:
    """The same on a data folder that others use meanwhile, and that is removed by the caller."""
    with _started(surroundings() | settings, folder) as url:
        home = embedded.home_of(folder)
        yield url
    shutil.rmtree(home, ignore_errors=True)  # it may lie elsewhere


def surroundings() -> dict[str, str]:
    """The environment without what the coordinator of this shell is set to."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}


def _answers(url: str, token: str) -> bool:
    try:
        return Wire(url, token, patience=0).get("/health").get("ok") is True
    except (CoordinatorUnreachable, RequestRefused, ValueError):
        return False


@contextmanager
def _started(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """`manage.py serve` on a free port. It cannot outlive this process."""
    place = {
        "COORDINATOR_DATA_DIR": str(folder),
        "COORDINATOR_HOST": "127.0.0.1",
        "COORDINATOR_PORT": "0",
        "COORDINATOR_SEARCH_ROOTS": "off",  # nothing is searched here
    }
    server = subprocess.Popen(  # noqa: S603
        [sys.executable, str(env.BASE_DIR / "manage.py"), "serve"],
        env={**environment, **place},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; the agents finish before their server goes
        preexec_fn=partial(lifeline.die_with, os.getpid(), signal.SIGTERM),
    )
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=[server.stdout, lines], daemon=True).start()
    try:
        yield _address(lines)
    finally:
        server.terminate()
        try:
            server.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _read(output: IO[str], lines: "SimpleQueue[str]") -> None:
    """Read the server's output for as long as it runs, or it would wait for a reader."""
    for line in output:
        lines.put(line)
    lines.put("")


def _address(lines: "SimpleQueue[str]") -> str:
    output = []
    try:
        while line := lines.get(timeout=READY_WITHIN):
            output.append(line)
            if ready := re.search(r"serves (http://\S+)", line):
                return ready[1]
    except Empty:
        output.append("It was not ready in time.")
    raise NoCoordinator("The coordinator does not start:\n" + "".join(output))
