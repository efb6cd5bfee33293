"""The coordinator that the demonstration speaks to: one that runs, or else one of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import IO

from benchmarks.demo.wire import Refused, Unreachable, Wire
from coordinator_project import env, lifeline

READY_WITHIN = 60.0
STOP_WITHIN = 20.0


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
        with _started() as url:
            yield url


def _answers(url: str, token: str) -> bool:
    try:
        return Wire(url, token, patience=0).get("/health").get("ok") is True
    except (Unreachable, Refused, ValueError):
        return False


@contextmanager
def _started() -> Iterator[str]:
    """`manage.py serve` on a free port. It cannot outlive this process."""
    # A folder that stays: as root, binaries may be copied for it, which is better done once.
    place = {
        "COORDINATOR_DATA_DIR": str(env.data_dir() / "demo"),
        "COORDINATOR_HOST": "127.0.0.1",
        "COORDINATOR_PORT": "0",
    }
    server = subprocess.Popen(  # noqa: S603
        [sys.executable, str(env.BASE_DIR / "manage.py"), "serve"],
        env=os.environ | place,
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
    """Take what the server says for as long as it runs, or it would wait for a reader."""
    for line in output:
        lines.put(line)
    lines.put("")


def _address(lines: "SimpleQueue[str]") -> str:
    said = []
    try:
        while line := lines.get(timeout=READY_WITHIN):
            said.append(line)
            if ready := re.search(r"serves (http://\S+)", line):
                return ready[1]
    except Empty:
        said.append("It was not ready in time.")
    raise NoCoordinator("The coordinator does not start:\n" + "".join(said))
