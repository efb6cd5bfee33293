"""The pass status: how each pass last went, stored so that every process can read it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import Error, connection, transaction
from django.db.models.functions import Now

from coordinator_project.models import PassRecord

WRITE_EVERY = 1.0  # seconds
WRITTEN = ["last_success_at", "milliseconds", "done", "failures", "problem"]


@dataclass
class PassStatus:
    """How one pass last went, and whether this has been written to the database."""

    name: str
    every: timedelta
    succeeded: float | None = None
    milliseconds: float = 0
    done: int = 0
    failures: int = 0
    problem: str = ""
    written: bool = False

    def row(self) -> PassRecord:
        """The row to store, with times by the database's clock, as readers need them."""
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
    """The status of all passes. Only the leader writes it; a new leader first resets the table.

    The threads that run passes report to it, and the one that keeps the lead writes: a status that
    changes while it is written is written again.
    """

    by_name: dict[str, PassStatus]
    begun: bool = False
    written_at: float = field(default=float("-inf"))

    def succeeded(self, name: str, *, seconds: float, done: int) -> None:
        status = self.by_name[name]
        if status.failures:
            self.written_at = float("-inf")
        status.succeeded = time.monotonic()
        status.milliseconds = round(seconds * 1000, 1)
        status.done = done
        status.failures = 0
        status.problem = ""
        status.written = False

    def failed(self, name: str, problem: Exception) -> None:
        status = self.by_name[name]
        status.failures += 1
        status.problem = f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
        status.written = False
        self.written_at = float("-inf")

    def lost(self) -> None:
        """Note that this process no longer leads; when it leads again, it writes all anew."""
        self.begun = False

    @transaction.atomic
    def write(self) -> None:
        """Write changed statuses: at most once a second, but failures and their end at once.

        Whoever has locked one of them is waited for half a second.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
        if not self.begun:
            self._begin()
        elif time.monotonic() - self.written_at < WRITE_EVERY:
            return
        changed = [status for status in self.by_name.values() if not status.written]
        self.begun = True
        if not changed:
            return
        for status in changed:
            status.written = True
        self.written_at = time.monotonic()
        try:
            PassRecord.objects.bulk_create(
                [status.row() for status in changed],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=WRITTEN,
            )
        except Error:
            self.begun = False
            raise

    def _begin(self) -> None:
        """Delete passes that no longer exist, and take over the others with their results."""
        for status in self.by_name.values():
            status.written = status.succeeded is None and not status.failures
        PassRecord.objects.exclude(name__in=self.by_name).delete()
        PassRecord.objects.bulk_create(
            [PassRecord(name=status.name, every=status.every) for status in self.by_name.values()],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["every", "led_since"],
        )
