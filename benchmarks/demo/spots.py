"""The optimizer workers of a sweep: processes of the example, one of which is killed at work."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.demo import server
from benchmarks.demo.wire import Wire
from coordinator_project import env, lifeline

PROGRAM = env.BASE_DIR / "examples" / "optimizer_worker.py"
CATCH_WITHIN = 30.0  # seconds in which one of them must hold a task
LEAVE_WITHIN = 20.0
LAST_WORDS = 2000  # characters


class SpotProcessesFailed(Exception):
    """The workers cannot go on."""


@dataclass(frozen=True, slots=True)
class SpotSettings:
    """Settings of every worker. `slow`: how many milliseconds longer each task takes."""

    url: str
    key: str
    slow: float
    logs: Path


class SpotProcesses:
    """The workers, by their ids: spot-1, spot-2 and on."""

    def __init__(self, settings: SpotSettings, count: int) -> None:
        self.settings = settings
        self.started = 0
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for _ in range(count):
            self.start()

    def start(self) -> str:
        """Start one more; returns its id."""
        self.started += 1
        spot_id = f"spot-{self.started}"
        with self._log(spot_id).open("wb") as log:
            self.running[spot_id] = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, str(PROGRAM)),
                    *("--url", self.settings.url, "--spot-id", spot_id),
                    *("--slow", str(self.settings.slow)),
                ],
                env=server.surroundings() | {"ORHESTRA_AGENT_KEY": self.settings.key},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us
                preexec_fn=partial(lifeline.die_with, os.getpid(), signal.SIGTERM),
            )
        return spot_id

    def kill_one(self, wire: Wire) -> str:
        """SIGKILL for one of them while it holds a task; returns its id.

        It is stopped first, so that it still holds the task when it is killed.
        """
        deadline = time.monotonic() + CATCH_WITHIN
        while time.monotonic() < deadline:
            for spot_id, process in self.running.items():
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.1)  # by then its last request has been answered
                held = wire.get("/v1/tasks", agent_id=spot_id, status="in_progress")["tasks"]
                if held:
                    process.kill()
                    process.wait()
                    del self.running[spot_id]
                    return spot_id
                process.send_signal(signal.SIGCONT)
        raise SpotProcessesFailed("None of the workers ever held a task.")

    def look(self) -> None:
        """Raise SpotProcessesFailed if one of them has ended by itself."""
        for spot_id, process in self.running.items():
            if process.poll() is not None:
                output = self._log(spot_id).read_text(errors="replace")[-LAST_WORDS:]
                raise SpotProcessesFailed(
                    f"{spot_id} ended with exit code {process.returncode}:\n{output}"
                )

    def stop(self) -> None:
        """Stop all, and wait until they have."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(LEAVE_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, spot_id: str) -> Path:
        return self.settings.logs / f"{spot_id}.log"
