"""Processes of a command: started under a shim, ended with all that they started."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)
SHIM = Path(__file__).with_name("shim.py")
MARK = "COORDINATOR_RUN"  # in the environment of all that a runner starts


class Process:
    """A program, and everything it starts, until nothing of it is left."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        mark: str,
        stdin: IO[bytes] | None = None,
    ) -> None:
        self.mark = mark
        reading, self._control = os.pipe()
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  (what the job says is what it is for)
                [sys.executable, "-I", "-S", str(SHIM), str(reading), *arguments],
                env={**environment, MARK: mark},
                cwd=folder,
                stdin=stdin or subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=[reading],
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (self._control, self.stdout, self.stderr):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (reading, out, err):
                os.close(descriptor)

    def wait(self, seconds: float) -> int | None:
        """Its exit code, 128 and the number for a signal; None while it runs."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        self.tell(b"T")

    def kill(self) -> None:
        self.tell(b"K")

    def tell(self, word: bytes) -> None:
        with suppress(BrokenPipeError):
            os.write(self._control, word)

    def close(self) -> None:
        """End what is left of it, also where it has ended its shim."""
        os.close(self._control)
        if self.wait(5) is None:
            self._process.kill()
            self._process.wait()
        sweep(self.mark)


def sweep(mark: str) -> int:
    """Kill all processes whose environment has this mark, or one that continues it."""
    killed = 0
    for pid in marked(mark):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    if not Path("/proc/self/environ").exists():
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and has(name, wanted)]


def has(pid: str, wanted: bytes) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.startswith(wanted) for variable in variables)
