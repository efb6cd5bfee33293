"""`manage.py serve`: the whole coordinator in one command."""

import errno
import fcntl
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import IntegrityError, connections
from django.urls import get_resolver

from accounts import bootstrap, credentials
from accounts.protected import OPEN_UP
from api.throttling import limits
from coordinator_project import (
    budget,
    databases,
    embedded,
    env,
    handover,
    http_server,
    maintenance,
    observations,
    processes,
)

PATIENCE = 3.0  # seconds for the processes of a killed coordinator to end


class Command(BaseCommand):
    help = "Run the coordinator: database, migrations, maintenance loop and the HTTP server."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        host, port = settings.COORDINATOR_HOST, settings.COORDINATOR_PORT
        http_server.raise_file_limit()
        with alone(settings.COORDINATOR_DATA_DIR), listen(host, port) as listening:
            self._say_where_files_are()
            observations.begin_anew()
            call_command("migrate", verbosity=0, interactive=False)
            maintenance.make_months()
            self._make_first_admin()
            self._make_default_user()
            # Imported once, before the processes are forked.
            import_module("coordinator_project.asgi")
            get_resolver().url_patterns  # noqa: B018
            number = self._fitting(settings.COORDINATOR_PROCESSES)
            # The processes begin with what is known here, even if the database is away by then.
            credentials.issued()
            connections.close_all()
            self._serve(listening, number)

    def _fitting(self, wanted: int) -> int:
        """How many of the HTTP processes the database has connections for; says so if not all."""
        allowed = databases.connections_allowed()
        number = budget.fitting(allowed, wanted)
        if number < wanted:
            missing = (
                f"The database allows {allowed} connections, and {wanted} processes need "
                f"{budget.needed(wanted)}. Raise its max_connections, or the CONNECTION LIMIT of "
                "the role or database, by what is missing, or set fewer COORDINATOR_PROCESSES."
            )
            if not number:
                raise CommandError(missing)
            self._say(f"{missing} Until then, {number} of them run.")
        return number

    def _serve(self, listening: socket.socket, number: int) -> None:
        running = processes.Processes()
        bulk = handover.Handover()
        limits.share(number + 1)
        try:
            running.start("maintenance", maintenance.run)
            running.start("bulk", http_server.serve_bulk, bulk, number)
            shares = processes.FORK.RawArray("i", number)
            for place in range(number):
                running.start(f"http-{place}", http_server.serve, listening, shares, place, bulk)
            running.wait_until_ready()
            if not running.signals:
                self._say_ready(listening)
            running.watch(self._looks())
        except processes.StartFailed as problem:
            raise CommandError(str(problem)) from problem
        finally:
            listening.close()
            running.stop()
            bulk.close()

    def _looks(self) -> Sequence[Callable[[], None]]:
        """What looks after things beside the processes, now and then."""
        if env.database_url()[0] != env.EMBEDDED:
            return []
        return [embedded.Reviver(settings.COORDINATOR_DATA_DIR).look]

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _say_where_files_are(self) -> None:
        if env.database_url()[0] != env.EMBEDDED:
            return
        home = embedded.home_of(settings.COORDINATOR_DATA_DIR)
        if settings.COORDINATOR_DATA_DIR not in home.parents:
            self._say(
                f"The embedded PostgreSQL keeps its files in {home}: it does not run as root, "
                f"and no other user can reach {settings.COORDINATOR_DATA_DIR}."
            )

    def _make_first_admin(self) -> None:
        people = get_user_model()._default_manager
        if people.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        try:
            people.create_superuser("admin", password=password)
        except IntegrityError:
            return  # a user has this name, or another server was faster
        self._say(f"Created the first user: admin, password {password} (it is not shown again).")

    def _make_default_user(self) -> None:
        if settings.DEFAULT_USER_ID is None:
            return
        path = bootstrap.make_default_user(settings.DEFAULT_USER_ID, settings.COORDINATOR_DATA_DIR)
        if path is not None:
            self._say(f"Created the user {settings.DEFAULT_USER_ID}; their token is in {path}")

    def _say_ready(self, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        if not credentials.issued():
            self._say(f"Protected mode: only this machine is served. To open up, {OPEN_UP}")
        if host in settings.EVERY_ADDRESS and not settings.EXTRA_HOSTS:
            self._say(
                "Only requests to localhost are answered: set COORDINATOR_ALLOWED_HOSTS "
                "to the names and addresses of this machine."
            )
        self._say(f"Coordinator serves http://{shown}:{port}")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the data folder for one coordinator; the lock of a killed one is released."""
    with embedded.open_in(folder, "serve.lock") as lock:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CommandError(
                        f"Another coordinator runs on the data folder {folder}. "
                        "Stop it, or set COORDINATOR_DATA_DIR to another folder."
                    ) from None
                time.sleep(0.05)
        yield


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that all processes accept from; requests wait there until one is ready."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server(
                (host, port), family=family, backlog=http_server.BACKLOG
            )
            break
        except OSError as problem:
            taken = problem.errno == errno.EADDRINUSE
            if time.monotonic() > deadline or not taken:
                why = os.strerror(errno.EADDRINUSE) if taken else problem.strerror
                raise CommandError(
                    f"Cannot listen on {host}:{port}: {why}. "
                    "Set another COORDINATOR_PORT or COORDINATOR_HOST, "
                    "or stop the program that uses it."
                ) from problem
            time.sleep(0.05)
    with listening:
        yield listening
