"""`manage.py reset`: repair what has drifted, or empty a development database."""

import sys
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from agents.models import Agent
from agents.querysets import unheard
from artifacts import removals
from artifacts.models import Removal
from chains import repair as chains
from chains import transitions
from chains.management.resetting import actor
from jobs import repair as jobs
from tasks import leases, tallies

ROOMS = ("agents", "tasks", "chains", "artifacts", "jobs", "collab", "events")


class Command(BaseCommand):
    help = (
        "Take back the tasks of lost agents, settle every chain, recount every job and all tasks,"
        " and print what was wrong. With --all: delete everything but users."
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
        else:
            self._repair(reason, dry_run=dry_run)
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")

    def _repair(self, reason: str, *, dry_run: bool) -> None:
        """Each batch, chain and job is a transaction of its own, which a dry run rolls back."""
        if Agent.objects.filter(unheard()).exists():
            self.stdout.write(
                "no agent is lost and no lease expires now: the coordinator does not run,"
                " or was away a moment ago"
            )
        reaped = leases.expire_leases(dry_run=dry_run)
        reaped += leases.release_lost(dry_run=dry_run)
        self.stdout.write(
            f"tasks: {len(reaped.retried)} back in the queue,"
            f" {len(reaped.failed)} failed,"
            f" {len(reaped.cancelled)} cancelled"
        )
        detached = transitions.detach_expired(dry_run=dry_run)
        detached += transitions.detach_lost(dry_run=dry_run)
        self.stdout.write(f"chains: {detached} detached")
        repaired = 0
        for chain in chains.settle_all(by=actor(), reason=reason, dry_run=dry_run):
            repaired += chain.changes != [chains.BUSY]
            self.stdout.write(f"chain {chain.chain_id}: {'; '.join(chain.changes)}")
        self.stdout.write(f"chains: {repaired} repaired")
        recounted = 0
        for job in jobs.recount(dry_run=dry_run):
            recounted += 1
            self.stdout.write(
                f"job {job.job_id}: had missed {job.total} tasks, {job.completed} completed,"
                f" {job.failed} failed, {job.cancelled} cancelled"
            )
        self.stdout.write(f"jobs: {recounted} repaired")
        wrong = tallies.repair(dry_run=dry_run)
        for one in wrong:
            self.stdout.write(
                f"tallies of channel {one.channel_id}, type {one.type!r}: had missed {one.missing}"
                f" tasks {one.status}"
            )
        self.stdout.write(f"tallies: {len(wrong)} repaired")

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
            "All agents, channels, tasks, chains, jobs, logs, files and events of the database"
            f" {name!r} at {host} will be deleted. Users stay."
        )
        self.stdout.write(f"Type the name of the database, {name}, to confirm:")
        if sys.stdin.readline().strip() != name:
            raise CommandError("Nothing was deleted.")

    @transaction.atomic
    def _empty(self) -> None:
        removals.remove_all()  # by the loop, soon
        tables = [
            connection.ops.quote_name(model._meta.db_table)
            for room in ROOMS
            for model in apps.get_app_config(room).get_models()
            if model._meta.managed and not model._meta.proxy and model is not Removal
        ]
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        self.stdout.write("The database is empty except for its users.")
