"""Notices what does not end while it still runs, and says what took long when it has ended."""

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
class Step:
    """What a thread is doing, since when, and when it was last said that it does not end."""

    name: str
    thread: int
    started: float = field(default_factory=time.monotonic)
    said: float | None = None

    def seconds(self) -> float:
        return round(time.monotonic() - self.started, 1)


class Watch:
    """Looks from a thread of its own at what another one does."""

    def __init__(self, *, slow: float = SLOW, stuck: float = STUCK) -> None:
        self.slow = slow
        self.stuck = stuck
        self.step: Step | None = None

    @contextmanager
    def over(self, name: str) -> Iterator[Step]:
        """Watch what the block does; one that took long is a line in the log."""
        self.step = step = Step(name, threading.get_ident())
        try:
            yield step
        finally:
            self.step = None
            if step.seconds() >= self.slow:
                log.warning("A pass took long.", extra={"pass": name, "seconds": step.seconds()})

    def begin(self, stop: threading.Event) -> None:
        """Look until `stop` is set, in a thread that keeps no process alive."""
        threading.Thread(target=self._look_until, args=[stop], daemon=True).start()

    def _look_until(self, stop: threading.Event) -> None:
        while not stop.wait(min(1.0, self.stuck / 4)):
            if self.step is not None:
                self._look_at(self.step)

    def _look_at(self, step: Step) -> None:
        """Say that the step does not end, and where it is: once, then again after as long."""
        now = time.monotonic()
        if now - (step.started if step.said is None else step.said) < self.stuck:
            return
        step.said = now
        frame = sys._current_frames().get(step.thread)
        where = "".join(traceback.format_stack(frame)) if frame else ""
        extra = {"pass": step.name, "seconds": step.seconds(), "where": where}
        log.error("A pass does not end.", extra=extra)
