"""Bring the index of documents and code up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from search import index, indexing


class Command(BaseCommand):
    help = "Index what has changed in the documents and the code that are searched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anew", action="store_true", help="empty it first")

    def handle(self, **options: Any) -> None:
        if options["anew"]:
            index.empty()
        look = indexing.all_at_once()
        done = look.changes
        self.stdout.write(
            f"{look.files} files in {look.seconds:.1f} s: {done.added} pieces added, "
            f"{done.updated} updated, {done.deleted} deleted."
        )
