"""The parts that the reset commands share: a reason, a dry run, and the actor."""

import os
import pwd
from collections.abc import Callable
from typing import TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from chains.resets import Reset

T = TypeVar("T")


class ResetCommand(BaseCommand):
    """Applies verbs for an operator at this machine, for a reason that the journal keeps."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why; it is kept in the journal")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would become of it"
        )

    def apply(self, verb: Callable[[], T], *, dry_run: bool) -> T:
        """Apply the verb and return its result; a dry run rolls it back."""
        with transaction.atomic():
            answer = verb()
            transaction.set_rollback(dry_run)
        return answer

    def say(self, reset: Reset, *, dry_run: bool) -> None:
        """Print one line: the status of a task before and after."""
        held = f" with {reset.holder}" if reset.holder else ""
        verb = "stays" if reset.now == reset.was else "would be" if dry_run else "is"
        chain = f", chain {reset.detached} detached" if reset.detached else ""
        self.stdout.write(f"{reset.task_id}: was {reset.was}{held}, {verb} {reset.now}{chain}")


def wanted(reason: str) -> str:
    """The reason without blanks around it; it must not be empty."""
    if not reason.strip():
        raise CommandError("--reason must say why.")
    return reason.strip()


def actor() -> str:
    """The name in the journal of the system user who runs the command."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without a name, as in some containers
        name = str(os.getuid())
    return f"command:{name}"
