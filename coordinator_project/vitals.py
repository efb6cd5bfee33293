"""Signs of life of the processes of one `serve`, in memory that all of them share.

A process that was stopped, or whose event loop hangs, does not beat; its parent replaces it.
`/health/details` shows what all of them said, whichever process answers.
"""

import mmap
import threading
import time
from dataclasses import dataclass

MOST = 128  # processes
LONGEST_NAME = 16  # bytes
BEAT_EVERY = 1.0  # seconds, where a thread beats
STILL_AFTER = 15.0  # seconds without a beat
DEAF_AFTER = 2.0  # seconds in which no agent could be heard by a process that hears agents
BEHIND_AFTER = 3.0  # seconds in which the journal was not read for those who follow it


@dataclass(frozen=True, slots=True)
class Sign:
    """What a process last said: how long ago, and how long it has not read the journal since."""

    name: str
    seconds: float
    behind: float | None

    @property
    def ok(self) -> bool:
        return self.seconds < STILL_AFTER and (self.behind or 0) < BEHIND_AFTER


class Vitals:
    """The beats of all processes, each at its place; times are monotonic, 0 before the first."""

    def __init__(self) -> None:
        self.spelled = mmap.mmap(-1, MOST * LONGEST_NAME)
        self.beats = _shared()
        self.followed = _shared()
        self.heard = _shared()
        self.place: int | None = None

    @property
    def names(self) -> list[str]:
        """Also of processes that were started after this one."""
        places = range(0, len(self.spelled), LONGEST_NAME)
        spelled = (self.spelled[place : place + LONGEST_NAME] for place in places)
        return [name.rstrip(b"\0").decode() for name in spelled if name[0]]

    def add(self, name: str) -> int:
        """A place for another process; nobody else adds one at the same time."""
        place = len(self.names)
        start = place * LONGEST_NAME
        self.spelled[start : start + LONGEST_NAME] = name.encode().ljust(LONGEST_NAME, b"\0")
        return place

    def begin(self, place: int) -> None:
        """Forget what the process at this place said before it was started again.

        One that heard agents has a moment to hear them again.
        """
        self.beats[place] = self.followed[place] = 0.0
        self.heard[place] = time.monotonic() if self.heard[place] else 0.0

    def beat(self, behind: float | None = None) -> None:
        """Say that this process works, and since when it has not read the journal if it has to."""
        if self.place is not None:
            now = time.monotonic()
            self.beats[self.place] = now
            self.followed[self.place] = 0.0 if behind is None else now - behind

    def hear(self) -> None:
        """Say that this process hears agents."""
        if self.place is not None:
            self.heard[self.place] = time.monotonic()

    def deaf(self) -> list[str]:
        """The processes that hear agents, and now do not."""
        since = time.monotonic() - DEAF_AFTER
        return [
            name
            for name, heard in zip(self.names, self.heard, strict=False)
            if heard and heard < since
        ]

    def signs(self) -> list[Sign]:
        """The signs of all processes that have begun to work."""
        now = time.monotonic()
        return [
            Sign(name, now - beat, now - followed if followed else None)
            for name, beat, followed in zip(self.names, self.beats, self.followed, strict=False)
            if beat
        ]


def _shared() -> "memoryview[float]":
    """Zeros that this process and those forked from it see alike."""
    return memoryview(mmap.mmap(-1, MOST * 8)).cast("d")


present = Vitals()
"""Those of this `serve`; empty in a process that it has not started."""


def beat_in_a_thread() -> None:
    """Beat until this process stops or is stopped; for one whose work may take long at a time."""
    threading.Thread(target=_beat_on, daemon=True).start()


def _beat_on() -> None:
    while True:
        present.beat()
        time.sleep(BEAT_EVERY)
