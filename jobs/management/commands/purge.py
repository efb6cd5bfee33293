"""`manage.py purge`: remove old events, tasks and jobs."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chains import retention as chains
from chains.management.resetting import actor
from events import retention as events
from jobs import retention as jobs
from tasks import retention as tasks


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
        if events is not None and events < 0:
            raise CommandError("--events counts back from now, so it must not be negative.")
        for name, days in (("--tasks", tasks), ("--jobs", jobs)):
            if days is not None and days < 1:
                raise CommandError(f"{name} counts back from now, so it must be 1 or more.")
        verb = "Would remove" if dry_run else "Removed"
        if events is not None:
            self._events(events, verb, dry_run=dry_run)
        if tasks is not None:
            self._tasks(_ago(tasks), verb, dry_run=dry_run)
        if jobs is not None:
            self._jobs(_ago(jobs), verb, dry_run=dry_run)

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
        self.stdout.write(f"{verb} {alone} finished tasks and {whole} finished chains.")

    def _jobs(self, before: datetime, verb: str, *, dry_run: bool) -> None:
        gone = jobs.purge(before, by=actor(), dry_run=dry_run)
        self.stdout.write(f"{verb} {gone.jobs} finished jobs with {gone.tasks} tasks.")


def _ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
