"""The maintenance loop: periodic passes, run by one of the processes that share a database."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from chains import gone_agents
from chains import transitions as chains
from coordinator_project.pass_status import PassStatus, PassStatuses
from coordinator_project.reapers import AgentReaper, reap_tasks
from coordinator_project.watch import Watch
from events import partitions, retention
from jobs import tally
from tasks import claims, leases

LEADER = 0x636F6F7264  # "coord", as a number: the leader's advisory lock
TICK = 0.5
RETRY_AFTER = 60.0  # seconds until a failed pass runs again, unless it is due before

log = logging.getLogger("coordinator.maintenance")


@dataclass
class Pass:
    """A periodic task; `run` returns how much it did. `after`: the delay of the first run."""

    name: str
    every: timedelta
    run: Callable[[], int]
    after: timedelta = timedelta()
    due: float = field(default=0.0)


def passes() -> list[Pass]:
    """All passes of the loop.

    No agent is lost because the coordinator was away: after the start, agents have
    AGENT_ONLINE_WITHIN to be heard before the first pass looks for lost ones.
    """
    tasks_every, agents_every = settings.REAP_TASKS_EVERY, settings.REAP_AGENTS_EVERY
    grace = settings.AGENT_ONLINE_WITHIN
    agents = AgentReaper()
    return [
        Pass("tasks.wake_postponed", timedelta(seconds=TICK), leases.wake_postponed),
        Pass("jobs.fold", timedelta(seconds=1), tally.fold),
        Pass("tasks.expire_leases", tasks_every, reap_tasks),
        Pass("chains.detach_expired", tasks_every, chains.detach_expired),
        Pass("agents.announce", agents_every, agents.announce, grace),
        Pass("tasks.release_lost", agents_every, agents.release, grace),
        Pass("chains.detach_lost", agents_every, chains.detach_lost, grace),
        Pass("tasks.forget_claim_keys", timedelta(hours=1), claims.forget_keys),
        Pass("agents.remove_gone", timedelta(minutes=10), gone_agents.remove),
        Pass("accounts.forget_sessions", timedelta(hours=1), forget_sessions),
        Pass("events.partitions", timedelta(hours=1), make_months),
        Pass("events.retention", settings.RETENTION_INTERVAL, retention.enforce),
    ]


def forget_sessions() -> int:
    """Delete the sessions of people that have expired; return how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


def make_months() -> int:
    """Create the journal's partitions of the coming months; return how many were missing."""
    return partitions.ensure(timezone.now())


class Leadership:
    """An advisory lock that one process has, on its own connection, until that connection ends."""

    def __init__(self) -> None:
        self.connection: BaseDatabaseWrapper | None = None
        self.held = False

    def is_held(self) -> bool:
        """Whether this process leads; try to become the leader if nobody is."""
        try:
            if self.connection is None:
                self.connection = connections.create_connection(DEFAULT_DB_ALIAS)
                self.held = False
            with self.connection.cursor() as cursor:
                # The lock belongs to the session: while the session answers, this process leads.
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
    """Runs the passes while this process leads; survives failures of passes and database."""

    def __init__(self, todo: Sequence[Pass], watch: Watch | None = None) -> None:
        self.todo = todo
        for one in todo:
            if one.after:
                one.due = time.monotonic() + one.after.total_seconds()
        self.stop = threading.Event()
        self.leadership = Leadership()
        self.reachable = True
        self.watch = watch or Watch()
        self.statuses = PassStatuses({one.name: PassStatus(one.name, one.every) for one in todo})

    def run(self) -> None:
        """Run until `stop` is set."""
        self.watch.begin(self.stop)
        while not self.stop.is_set():
            self.turn(time.monotonic())
            self.stop.wait(TICK)
        self.leadership.give_up()
        connections.close_all()

    def turn(self, now: float) -> None:
        """Run the passes that are due, if this process leads."""
        try:
            with self.watch.over("leadership"):
                leads = self.leadership.is_held()
        except Error as problem:
            self._say_unreachable(problem)
            self.statuses.lost()
            return
        if not self.reachable:
            log.info("The database answers again.")
            self.reachable = True
        if not leads:
            self.statuses.lost()
            return
        for one in self.todo:
            if one.due <= now and not self.stop.is_set():
                self._do(one, now)
        self._write_statuses()

    def _do(self, one: Pass, now: float) -> None:
        every = one.every.total_seconds()
        one.due = now + every
        started = time.monotonic()
        try:
            with self.watch.over(one.name):
                done = one.run()
        # The only broad except: a failure of one pass must not end the others.
        except Exception as problem:
            one.due = now + min(every, RETRY_AFTER)
            connections.close_all()
            self.statuses.failed(one.name, problem)
            if isinstance(problem, (OperationalError, InterfaceError)):
                # The database is busy or away; nothing is wrong with the pass.
                why = str(problem).partition("\n")[0]
                log.warning("A pass was given up.", extra={"pass": one.name, "problem": why})
            else:
                log.exception("A pass failed.", extra={"pass": one.name})
        else:
            took = time.monotonic() - started
            self.statuses.succeeded(one.name, seconds=took, done=done)
            if done:
                took_ms = round(took * 1000, 1)
                log.info("pass", extra={"pass": one.name, "done": done, "milliseconds": took_ms})

    def _write_statuses(self) -> None:
        try:
            with self.watch.over("pass_status"):
                self.statuses.write()
        except Error as problem:
            connections.close_all()
            why = str(problem).partition("\n")[0]
            log.warning("The pass status was not written.", extra={"problem": why})

    def _say_unreachable(self, problem: Exception) -> None:
        if self.reachable:
            log.warning("The database does not answer.", extra={"problem": str(problem)})
            self.reachable = False


def run(ready: Connection) -> None:
    """Run the loop until SIGTERM; the main function of a process."""
    loop = Loop(passes())
    signal.signal(signal.SIGTERM, lambda number, frame: loop.stop.set())
    ready.send(True)
    loop.run()
