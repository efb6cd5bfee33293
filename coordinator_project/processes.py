"""The processes of `serve`: started, watched, restarted when they die, stopped together."""

import gc
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType

from coordinator_project import lifeline, observations, vitals

# Forked, so that each is ready at once: the large modules have been imported before.
FORK = multiprocessing.get_context("fork")
LEAVE_PROCESSES = 6.5  # seconds until a process that has not stopped is killed
READY_WITHIN = 60.0
TICK = 0.2
LONGEST_LOOK = 1.0  # seconds
RESTART_AFTER = 1.0  # seconds before a process that died is started again

log = logging.getLogger("coordinator.serve")


class StartFailed(Exception):
    """A process of the coordinator died before it was ready."""


@dataclass
class Child:
    """One process, and how to start it again. It sends to `ready` once it works."""

    name: str
    body: Callable[..., None]
    arguments: tuple[object, ...]
    place: int
    process: ForkProcess
    ready: Connection
    start_at: float = 0.0
    beat: float = 0.0
    silent: float = 0.0  # seconds without a beat while we looked

    def hear(self, elapsed: float) -> bool:
        """Whether it beats; `elapsed`: seconds since the last look."""
        beat, self.beat = self.beat, vitals.present.beats[self.place]
        self.silent = self.silent + elapsed if beat == self.beat else 0.0
        return self.silent < (vitals.STILL_AFTER if self.beat else READY_WITHIN)

    def fork(self) -> None:
        """Start it, or start it again."""
        self.start_at = self.beat = self.silent = 0.0
        vitals.present.begin(self.place)
        self.process, self.ready = _fork(self.name, self.place, self.body, self.arguments)


class Processes:
    """All child processes of one `serve`."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.signals = 0
        # Present objects stay: garbage collection need not visit them and copy their pages.
        gc.collect()
        gc.freeze()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._count_signal)

    def start(self, name: str, body: Callable[..., None], *arguments: object) -> None:
        """Start a process that runs `body(ready, *arguments)`, which sends to `ready` soon."""
        place = vitals.present.add(name)
        process, ready = _fork(name, place, body, arguments)
        self.children.append(Child(name, body, arguments, place, process, ready))

    def wait_until_ready(self) -> None:
        """Return when every process works or a signal came; raise StartFailed if one dies."""
        deadline = time.monotonic() + READY_WITHIN
        for child in self.children:
            while not child.ready.poll(TICK):
                if self.signals:
                    return
                if not child.process.is_alive() or time.monotonic() > deadline:
                    raise StartFailed(f"The process {child.name} did not start.")

    def watch(self, looks: Sequence[Callable[[], None]]) -> None:
        """Restart processes that die, and call each of `looks` now and then, until a signal."""
        looked_at = time.monotonic()
        while not self.signals:
            wait([child.process.sentinel for child in self.children if not child.start_at], TICK)
            # If it was us who stood still, nobody could be heard meanwhile.
            elapsed = min(time.monotonic() - looked_at, LONGEST_LOOK)
            looked_at = time.monotonic()
            for child in self.children:
                self._care_for(child, elapsed)
            for look in looks:
                look()

    def stop(self) -> None:
        """Terminate every process, then kill it after a while, or at once on a second signal."""
        deadline = time.monotonic() + LEAVE_PROCESSES
        for child in self.children:
            child.process.terminate()
        for child in self.children:
            while child.process.is_alive() and time.monotonic() < deadline and self.signals < 2:
                child.process.join(TICK)
        for child in self.children:
            if child.process.is_alive():
                log.warning("A process had to be killed.", extra={"child": child.name})
                child.process.kill()
            child.process.join()

    def _care_for(self, child: Child, elapsed: float) -> None:
        if child.start_at:
            if time.monotonic() >= child.start_at and not self.signals:
                child.fork()
        elif not child.process.is_alive() and not self.signals:
            code = child.process.exitcode
            log.error("A process died; it starts again.", extra={"child": child.name, "code": code})
            observations.forget(child.process.pid)
            child.ready.close()
            child.start_at = time.monotonic() + RESTART_AFTER
        elif not child.hear(elapsed) and not self.signals:
            silent = round(child.silent)
            log.error("A process stands still.", extra={"child": child.name, "seconds": silent})
            child.process.kill()  # works on a stopped process too
            child.silent = 0.0

    def _count_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1


def _fork(
    name: str, place: int, body: Callable[..., None], arguments: tuple[object, ...]
) -> tuple[ForkProcess, Connection]:
    ours, theirs = FORK.Pipe(duplex=False)
    given = os.getpid(), name, place, body, theirs, *arguments
    process = FORK.Process(target=_live, args=given, name=name, daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _live(
    parent: int,
    name: str,
    place: int,
    body: Callable[..., None],
    ready: Connection,
    *arguments: object,
) -> None:
    lifeline.watch(parent)
    lifeline.name(name)
    vitals.present.place = place
    observations.begin()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says when
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    body(ready, *arguments)
