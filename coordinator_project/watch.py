"""Logs passes that do not end, and passes that took long."""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SLOW = 10.0  # seconds
STUCK = 60.0

log = logging.getLogger("coordinator.maintenance")


@dataclass
class WatchedPass:
    """A running pass: its thread, its start, and when it was last logged as stuck."""

    name: str
    thread: int
    started: float = field(default_factory=time.monotonic)
    logged: float | None = None

    def seconds(self) -> float:
        return round(time.monotonic() - self.started, 1)


class Watch:
    """Watches the passes of several threads from another."""

    def __init__(self, *, slow: float = SLOW, stuck: float = STUCK) -> None:
        self.slow = slow
        self.stuck = stuck
        self.steps: dict[int, WatchedPass] = {}

    @contextmanager
    def over(self, name: str) -> Iterator[WatchedPass]:
        """Watch the block as the pass `name`; log it if it took long."""
        step = self.steps[threading.get_ident()] = WatchedPass(name, threading.get_ident())
        try:
            yield step
        finally:
            self.steps.pop(step.thread, None)
            if step.seconds() >= self.slow:
                log.warning("A pass took long.", extra={"pass": name, "seconds": step.seconds()})

    def begin(self, stop: threading.Event) -> None:
        """Watch until `stop` is set, in a daemon thread."""
        threading.Thread(target=self._look_until, args=[stop], daemon=True).start()

    def _look_until(self, stop: threading.Event) -> None:
        while not stop.wait(min(1.0, self.stuck / 4)):
            for step in list(self.steps.values()):
                self._look_at(step)

    def _look_at(self, step: WatchedPass) -> None:
        """Log a stuck pass with its stack, and again after each further interval."""
        now = time.monotonic()
        if now - (step.started if step.logged is None else step.logged) < self.stuck:
            return
        step.logged = now
        frame = sys._current_frames().get(step.thread)
        where = "".join(traceback.format_stack(frame)) if frame else ""
        extra = {"pass": step.name, "seconds": step.seconds(), "where": where}
        log.error("A pass does not end.", extra=extra)
