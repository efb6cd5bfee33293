"""What has to be done again and again, by one process of all that share a database."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from agents import transitions as agents
from chains import transitions as chains
from events import partitions, retention
from tasks import claims, holds

LEADER = 0x636F6F7264  # "coord", as a number: the advisory lock of the one who leads
TICK = 0.5

log = logging.getLogger("coordinator.maintenance")


@dataclass
class Pass:
    """A thing to do every so often; `run` says how much it did. `after`: not at once at start."""

    name: str
    every: timedelta
    run: Callable[[], int]
    after: timedelta = timedelta()
    due: float = field(default=0.0)


def passes() -> list[Pass]:
    """All that the coordinator does by itself.

    Nobody is lost for having been silent while the coordinator was away: after its start agents
    have the time in which one that is online speaks.
    """
    grace = settings.AGENT_ONLINE_WITHIN
    return [
        Pass("tasks.expire_leases", timedelta(seconds=1), holds.expire_leases),
        Pass("chains.detach_expired", timedelta(seconds=1), chains.detach_expired),
        Pass("tasks.release_lost", timedelta(seconds=2), holds.release_lost, grace),
        Pass("chains.detach_lost", timedelta(seconds=2), chains.detach_lost, grace),
        Pass("agents.announce", timedelta(seconds=2), agents.announce, grace),
        Pass("tasks.forget_claim_keys", timedelta(hours=1), claims.forget_keys),
        Pass("events.partitions", timedelta(hours=1), make_months),
        Pass("events.retention", settings.RETENTION_INTERVAL, retention.enforce),
    ]


def make_months() -> int:
    """Make the journal's tables of the months to come; how many were missing."""
    return partitions.ensure(timezone.now())


class Leadership:
    """Held by at most one process; a connection of its own holds it, and loses it when it ends."""

    def __init__(self) -> None:
        self.connection: BaseDatabaseWrapper | None = None
        self.held = False

    def is_held(self) -> bool:
        """Whether this process leads, trying to become leader when nobody does."""
        try:
            if self.connection is None:
                self.connection = connections.create_connection(DEFAULT_DB_ALIAS)
                self.held = False
            with self.connection.cursor() as cursor:
                # The lock is this session's; while the session answers, it is held.
                question = "SELECT true" if self.held else f"SELECT pg_try_advisory_lock({LEADER})"
                cursor.execute(question)
                row = cursor.fetchone()
                self.held = row is not None and row[0]
        except Error:
            self.give_up()
            raise
        return self.held

    def give_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Loop:
    """Runs the passes while this process leads, whatever becomes of a pass or of the database."""

    def __init__(self, todo: Sequence[Pass]) -> None:
        self.todo = todo
        for one in todo:
            if one.after:
                one.due = time.monotonic() + one.after.total_seconds()
        self.stop = threading.Event()
        self.leadership = Leadership()
        self.reachable = True

    def run(self) -> None:
        """Go on until `stop` is set."""
        while not self.stop.is_set():
            self.turn(time.monotonic())
            self.stop.wait(TICK)
        self.leadership.give_up()
        connections.close_all()

    def turn(self, now: float) -> None:
        """Do what is due now, if this process leads."""
        try:
            leads = self.leadership.is_held()
        except Error as problem:
            self._say_unreachable(problem)
            return
        if not self.reachable:
            log.info("The database answers again.")
            self.reachable = True
        for one in self.todo if leads else ():
            if one.due <= now and not self.stop.is_set():
                one.due = now + one.every.total_seconds()
                self._do(one)

    def _do(self, one: Pass) -> None:
        started = time.monotonic()
        try:
            done = one.run()
        except (OperationalError, InterfaceError) as problem:
            connections.close_all()
            self._say_unreachable(problem)
        except Exception:
            # The one place that survives everything: a fault in one pass must not end the others.
            log.exception("A pass failed.", extra={"pass": one.name})
            connections.close_all()
        else:
            if done:
                took = round((time.monotonic() - started) * 1000, 1)
                log.info("pass", extra={"pass": one.name, "done": done, "milliseconds": took})

    def _say_unreachable(self, problem: Exception) -> None:
        if self.reachable:
            log.warning("The database does not answer.", extra={"problem": str(problem)})
            self.reachable = False


def run(ready: Connection) -> None:
    """Maintain until SIGTERM; the body of a process."""
    loop = Loop(passes())
    signal.signal(signal.SIGTERM, lambda number, frame: loop.stop.set())
    ready.send(True)
    loop.run()
