"""The loop's book: how each pass went, written where every process can read it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from coordinator_project.models import PassRecord

WRITE_EVERY = 1.0  # seconds
WRITTEN = ["last_success_at", "milliseconds", "done", "failures", "problem"]


@dataclass
class PassStatus:
    """How one pass went last, and whether that stands in the database yet."""

    name: str
    every: timedelta
    succeeded: float | None = None
    milliseconds: float = 0
    done: int = 0
    failures: int = 0
    problem: str = ""
    written: bool = False

    def row(self) -> PassRecord:
        """By the clock of the database, so that all who read it agree on what is late."""
        ago = None if self.succeeded is None else time.monotonic() - self.succeeded
        return PassRecord(
            name=self.name,
            every=self.every,
            last_success_at=None if ago is None else Now() - timedelta(seconds=ago),
            milliseconds=self.milliseconds,
            done=self.done,
            failures=self.failures,
            problem=self.problem,
        )


@dataclass
class PassStatuses:
    """The pages of all passes. Only the leader writes; it begins by making the book its own."""

    pages: dict[str, PassStatus]
    begun: bool = False
    wrote: float = field(default=float("-inf"))

    def succeeded(self, name: str, *, seconds: float, done: int) -> None:
        page = self.pages[name]
        if page.failures:
            self.wrote = float("-inf")
        page.succeeded = time.monotonic()
        page.milliseconds = round(seconds * 1000, 1)
        page.done = done
        page.failures = 0
        page.problem = ""
        page.written = False

    def failed(self, name: str, problem: Exception) -> None:
        page = self.pages[name]
        page.failures += 1
        page.problem = f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
        page.written = False
        self.wrote = float("-inf")

    def lost(self) -> None:
        """This process leads no more; when it does again, the book is begun anew."""
        self.begun = False

    @transaction.atomic
    def write(self) -> None:
        """Write what has changed: at most once a second, but failures and their end at once."""
        if not self.begun:
            self._begin()
        elif time.monotonic() - self.wrote < WRITE_EVERY:
            return
        pages = [page for page in self.pages.values() if not page.written]
        if not pages and self.begun:
            return
        PassRecord.objects.bulk_create(
            [page.row() for page in pages],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=WRITTEN,
        )
        self.wrote = time.monotonic()
        self.begun = True
        for page in pages:
            page.written = True

    def _begin(self) -> None:
        """Forget the passes that there are no more, and take over the others as they stand."""
        PassRecord.objects.exclude(name__in=self.pages).delete()
        PassRecord.objects.bulk_create(
            [PassRecord(name=page.name, every=page.every) for page in self.pages.values()],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["every", "led_since"],
        )
