"""Put tasks that hang back in the queue."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from api.fields import NOBODY, identifier
from chains import resets
from chains.management.resetting import ResetCommand, actor, wanted
from problems import Problem
from tasks.exceptions import TaskUnknown


class Command(ResetCommand):
    help = "Put tasks back in the queue, wherever they hang: in progress, locked or failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="+", metavar="ID", help="a task's id")
        super().add_arguments(parser)

    def handle(self, *, ids: list[str], reason: str, dry_run: bool, **options: Any) -> None:
        reason = wanted(reason)
        refused = 0
        for text in ids:
            task_id = identifier(text)
            try:
                if task_id == NOBODY:
                    raise TaskUnknown(f"There is no task {text!r}.")
                verb = partial(resets.reset_task, task_id, by=actor(), reason=reason)
                self.say(self.apply(verb, dry_run=dry_run), dry_run=dry_run)
            except Problem as problem:
                refused += 1
                self.stdout.write(f"{text}: refused. {problem}")
        if refused:
            raise CommandError(f"{refused} of {len(ids)} refused.")
