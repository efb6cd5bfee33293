"""`manage.py reset`: repair what has drifted, or empty a development database."""

import sys
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from chains import repair as chains
from chains import transitions
from chains.management.resetting import actor
from jobs import repair as jobs
from tasks import leases

ROOMS = ("agents", "tasks", "chains", "jobs", "events")


class Command(BaseCommand):
    help = (
        "Take back the tasks of lost agents, settle every chain, recount every job, and print what"
        " was wrong. With --all: delete everything but users."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="reset", help="why, for the journal")
        parser.add_argument(
            "--dry-run", action="store_true", help="only print what would be repaired"
        )
        parser.add_argument(
            "--all",
            dest="everything",
            action="store_true",
            help="empty the database of a development machine, after a confirmation",
        )
        parser.add_argument(
            "--yes-empty-everything", dest="sure", action="store_true", help="confirm --all"
        )

    def handle(
        self, *, reason: str, dry_run: bool, everything: bool, sure: bool, **options: Any
    ) -> None:
        if everything and dry_run:
            raise CommandError("--all has no dry run: it deletes everything but users.")
        if everything:
            self._ask(sure=sure)
            self._empty()
        elif dry_run:
            with transaction.atomic():
                self._repair(reason)
                transaction.set_rollback(True)
            self.stdout.write("Nothing was changed: this was a dry run.")
        else:
            self._repair(reason)

    def _repair(self, reason: str) -> None:
        reaped = leases.expire_leases()
        reaped += leases.release_lost()
        self.stdout.write(
            f"tasks: {len(reaped.retried)} back in the queue,"
            f" {len(reaped.failed)} failed,"
            f" {len(reaped.cancelled)} cancelled"
        )
        detached = _all_of(transitions.detach_expired) + _all_of(transitions.detach_lost)
        self.stdout.write(f"chains: {detached} detached")
        repaired = 0
        for chain in chains.settle_all(by=actor(), reason=reason):
            repaired += 1
            self.stdout.write(f"chain {chain.chain_id}: {'; '.join(chain.changes)}")
        self.stdout.write(f"chains: {repaired} repaired")
        wrong = jobs.recount()
        for job in wrong:
            self.stdout.write(
                f"job {job.job_id}: had missed {job.total} tasks, {job.completed} completed,"
                f" {job.failed} failed, {job.cancelled} cancelled"
            )
        self.stdout.write(f"jobs: {len(wrong)} repaired")

    def _ask(self, *, sure: bool) -> None:
        if sure:
            return
        if not sys.stdin.isatty():
            raise CommandError(
                "--all needs a terminal to ask for confirmation: add --yes-empty-everything."
            )
        name = connection.get_connection_params()["dbname"]
        host = connection.get_connection_params().get("host") or "this machine"
        self.stdout.write(
            f"All agents, channels, tasks, chains, jobs and events of the database {name!r}"
            f" at {host} will be deleted. Users stay."
        )
        self.stdout.write(f"Type the name of the database, {name}, to confirm:")
        if sys.stdin.readline().strip() != name:
            raise CommandError("Nothing was deleted.")

    def _empty(self) -> None:
        tables = [
            connection.ops.quote_name(model._meta.db_table)
            for room in ROOMS
            for model in apps.get_app_config(room).get_models()
            if model._meta.managed and not model._meta.proxy
        ]
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        self.stdout.write("The database is empty except for its users.")


def _all_of(batch: Callable[[], int]) -> int:
    """Repeat `batch` until it finds nothing more to do; return how much it did."""
    total = 0
    while done := batch():
        total += done
    return total
