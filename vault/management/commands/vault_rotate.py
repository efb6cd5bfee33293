"""`manage.py vault_rotate`: seal everything anew with the first of the encryption keys."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import sealing
from tasks import secrets
from vault import transitions
from vault.exceptions import EncryptionKeyMissing, VaultProblem
from vault.seals import check_keys

BY = "manage.py vault_rotate"
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Seal the secrets of keys, tasks and receivers of notifications anew with the first of"
        " COORDINATOR_ENCRYPTION_KEYS, in batches. It may be ended and run again at any time; the"
        " others may be removed from the setting once it has found nothing left to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows of one transaction")

    def handle(self, *, batch: int, **options: Any) -> None:
        if batch < 1:
            raise CommandError("--batch must be 1 or more.")
        try:
            check_keys()
        except EncryptionKeyMissing as problem:
            raise CommandError(problem.message) from None
        keys, problems = self._keys(batch)
        tasks, lost = self._tasks(batch)
        others, lost_others = sealing.reseal_others()
        label = sealing.label()
        self.stdout.write(
            f"Sealed {keys} versions of keys and the secrets of {tasks} tasks anew"
            f" with the encryption key {label}."
        )
        if others:
            self.stdout.write(f"Sealed {others} receivers of notifications anew.")
        for refused in problems[:SHOWN]:
            self.stderr.write(refused.message)
        if lost_others:
            self.stderr.write(f"{lost_others} receivers of notifications could not be opened.")
        if problems or lost or lost_others:
            raise CommandError(
                f"{len(problems)} versions of keys and the secrets of {lost} tasks could not be"
                " opened and stay as they are: keep the keys that are set, and put back the one"
                " that is missing."
            )
        self.stdout.write(f"All is sealed with {label}: the other keys may go.")

    def _keys(self, batch: int) -> tuple[int, list[VaultProblem]]:
        done, problems, after = 0, list[VaultProblem](), 0
        while (some := transitions.reseal(after=after, most=batch, by=BY)).last is not None:
            done, after = done + some.done, some.last
            problems += some.problems
        return done, problems

    def _tasks(self, batch: int) -> tuple[int, int]:
        done, lost, after = 0, 0, None
        while (some := secrets.reseal(after=after, most=batch)).last is not None:
            done, lost, after = done + some.done, lost + some.lost, some.last
        return done, lost
