"""`manage.py purge`: remove old events, tasks and jobs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from chains import retention as chains
from chains.management.resetting import actor
from events import retention as events
from jobs import retention as jobs
from problems.database import is_lock_timeout
from tasks import retention as tasks

MOST_DAYS = 36_500  # as for the settings
LEFT = "that others have locked stay for the next time."


class Command(BaseCommand):
    help = (
        "Remove old events, finished tasks and finished jobs, as the options say."
        " Without an option: the events that are older than the retention."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--events", "--days", type=int, metavar="DAYS", help="remove events older than that"
        )
        parser.add_argument(
            "--tasks",
            type=int,
            metavar="DAYS",
            help="remove chainless tasks and whole chains that finished before that",
        )
        parser.add_argument(
            "--jobs", type=int, metavar="DAYS", help="remove whole jobs that finished before that"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")

    def handle(
        self,
        *,
        events: int | None,
        tasks: int | None,
        jobs: int | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        if events is None and tasks is None and jobs is None:
            events = settings.EVENT_RETENTION.days
        for name, days, least in (
            ("--events", events, 0),
            ("--tasks", tasks, 1),
            ("--jobs", jobs, 1),
        ):
            if days is not None and not least <= days <= MOST_DAYS:
                raise CommandError(
                    f"{name} counts days back from now, so it must be from {least} to {MOST_DAYS}."
                )
        verb = "Would remove" if dry_run else "Removed"
        if events is not None:
            self._unless_locked(partial(self._events, events, verb, dry_run=dry_run), "events")
        if tasks is not None:
            self._unless_locked(partial(self._tasks, _ago(tasks), verb, dry_run=dry_run), "tasks")
        if jobs is not None:
            self._unless_locked(partial(self._jobs, _ago(jobs), verb, dry_run=dry_run), "jobs")

    def _unless_locked(self, remove: Callable[[], None], what: str) -> None:
        """Remove these. Where somebody holds a whole table, say so: the other options go on."""
        try:
            remove()
        except OperationalError as problem:
            if not is_lock_timeout(problem):
                raise
            self.stdout.write(f"Others hold what the purge of {what} needs: try again later.")

    def _events(self, days: int, verb: str, *, dry_run: bool) -> None:
        if days == 0:
            self.stdout.write("Retention is off: nothing was purged.")
            return
        gone = events.purge(_ago(days), dry_run=dry_run)
        months = f", whole months: {', '.join(gone.months)}" if gone.months else ""
        months += f" (about {gone.estimated} events)" if gone.estimated else ""
        self.stdout.write(f"{verb} {gone.events} events and {gone.keys} used keys{months}.")

    def _tasks(self, before: datetime, verb: str, *, dry_run: bool) -> None:
        alone = tasks.purge(before, by=actor(), dry_run=dry_run)
        whole = chains.purge(before, by=actor(), dry_run=dry_run)
        left = f" {alone.left} tasks and {whole.left} chains {LEFT}"
        self.stdout.write(
            f"{verb} {alone.gone} finished tasks and {whole.gone} finished chains."
            f"{left if alone.left or whole.left else ''}"
        )

    def _jobs(self, before: datetime, verb: str, *, dry_run: bool) -> None:
        gone = jobs.purge(before, by=actor(), dry_run=dry_run)
        left = f" {gone.left} jobs {LEFT}" if gone.left else ""
        self.stdout.write(f"{verb} {gone.jobs} finished jobs with {gone.tasks} tasks.{left}")


def _ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
