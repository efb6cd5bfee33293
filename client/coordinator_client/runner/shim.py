"""Runs one command and ends all that it started. A program of its own, with Python alone.

    python -I -S shim.py CONTROL ARGUMENT…

The process that holds the other end of the pipe CONTROL writes T (TERM to the command's group) or
K (KILL to all descendants); when it ends, so do they. Descendants cannot get away: on Linux those
whose parent has ended become children of this process, whatever group they are in. It ends with
the command's exit code, 128 and the number for a signal, once nothing of it is left.
"""

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36
GRACE = 2.0  # for what outlives the command
TICK = 0.05


def adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """All below this process, where /proc shows them."""
    children: dict[int | None, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            children.setdefault(parent_of(name), []).append(int(name))
    found: list[int] = []
    below = [os.getpid()]
    while below:
        below = [child for pid in below for child in children.get(pid, ())]
        found += below
    return found


def parent_of(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def send(number: int, pids: list[int], group: int) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)
    with suppress(OSError):
        os.killpg(group, number)


def code_of(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def reap(child: int, code: int | None) -> tuple[int | None, bool]:
    """The command's exit code once it is known, and whether nothing is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code, True
        if pid == 0:
            return code, False
        if pid == child:
            code = code_of(status)


def start(arguments: list[str]) -> int:
    defaults = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXFSZ]
    return os.posix_spawnp(
        arguments[0],
        arguments,
        os.environ,
        setsid=True,
        setsigdef=defaults,
    )


def main(control: int, arguments: list[str]) -> int:
    os.set_inheritable(control, False)
    adopt_orphans()
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child = start(arguments)
    code: int | None = None
    ended_at: float | None = None
    kill = False
    listened = [control, woken]
    while True:
        code, empty = reap(child, code)
        if empty:
            return code if code is not None else 1
        if code is not None:
            if ended_at is None:
                ended_at = time.monotonic()
                send(signal.SIGTERM, descendants(), child)
            kill = kill or time.monotonic() - ended_at > GRACE
        if kill:
            send(signal.SIGKILL, descendants(), child)
        readable = select.select(listened, [], [], TICK if kill or ended_at else None)[0]
        if woken in readable:
            os.read(woken, 512)
        if control in readable:
            asked = os.read(control, 16)
            if not asked:
                listened = [woken]
            if not asked or b"K" in asked:
                kill = True
            elif b"T" in asked:
                send(signal.SIGTERM, [], child)


if __name__ == "__main__":
    try:
        ended = main(int(sys.argv[1]), sys.argv[2:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[2]} could not be started: {error}\n")
        ended = 127
    sys.stdout.flush()
    os._exit(ended)
