"""Remove what is too old to keep."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from events import retention


class Command(BaseCommand):
    help = "Remove events that are older than the retention allows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.EVENT_RETENTION.days)
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *, days: int, dry_run: bool, **options: Any) -> None:
        if days < 0:
            raise CommandError("--days counts back from now, so it cannot be negative.")
        if days == 0:
            self.stdout.write("Retention is off: nothing is purged.")
            return
        gone = retention.purge(timezone.now() - timedelta(days=days), dry_run=dry_run)
        verb = "Would remove" if dry_run else "Removed"
        months = f", whole months: {', '.join(gone.months)}" if gone.months else ""
        self.stdout.write(f"{verb} {gone.events} events and {gone.keys} used-up keys{months}.")
