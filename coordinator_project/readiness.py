"""`GET /readyz`: whether this coordinator can do its work; for whoever sends it traffic."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from django.db import Error, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from coordinator_project import schema, vitals
from coordinator_project.models import LeaderLease, PassRecord

WITHIN = 5.0  # seconds
KEPT_FOR = 1.0  # seconds: anybody may ask, as often as they like
LOOP = "maintenance"
"""The process of a `serve` that runs the loop."""

DATABASE_AWAY = "The database does not answer."
NOT_MIGRATED = "Migrations are missing."
NOT_LED = "Nobody leads the maintenance loop."
LATE = "A pass of the maintenance loop is late."

pool = ThreadPoolExecutor(1, thread_name_prefix="details")

Checks = Mapping[str, str]
"""What is wrong with each part that was looked at; "" where nothing is."""


class Readiness:
    """What a look found, kept for a second."""

    def __init__(self) -> None:
        self.looking = threading.Lock()
        self.looked_at = float("-inf")
        self.found: Checks = {}
        self.migrated = False

    def read(self) -> Checks:
        """What is wrong; a look that does not end in time says that the database is away."""
        with self.looking:
            if time.monotonic() - self.looked_at >= KEPT_FOR:
                looking = pool.submit(self._look)
                try:
                    self.found = looking.result(WITHIN)
                except TimeoutError:
                    looking.cancel()
                    self.found = {"database": DATABASE_AWAY}
                self.looked_at = time.monotonic()
            return self.found

    def _look(self) -> Checks:
        """Migrations once, until none is missing: they change with the program alone."""
        found = {"database": ""}
        parts: list[tuple[str, Callable[[], str]]] = [("migrations", self._migrations)]
        if LOOP in vitals.present.names:
            parts.append(("loop", _loop))
        try:
            connection.ensure_connection()
            for name, look in parts:
                found[name] = look()
        except Error:
            return {"database": DATABASE_AWAY}
        finally:
            connections.close_all()
        return found

    def _migrations(self) -> str:
        if not self.migrated:
            executor = MigrationExecutor(connection)
            self.migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return "" if self.migrated else NOT_MIGRATED


def _loop() -> str:
    if not LeaderLease.objects.filter(expires_at__gt=Now()).exists():
        return NOT_LED
    return LATE if any(one.late for one in PassRecord.objects.with_late()) else ""


readiness = Readiness()


@schema.ready
class ReadyView(APIView):
    """Public. 503 until the database answers, is migrated, and the loop of this `serve` works."""

    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    def get(self, request: Request) -> Response:
        """Say whether this coordinator can do its work."""
        found = readiness.read()
        problems = [problem for problem in found.values() if problem]
        checks = {name: not problem for name, problem in found.items()}
        body = {"ok": not problems, "time": timezone.now(), "checks": checks, "problems": problems}
        return Response(body, 503 if problems else 200)
