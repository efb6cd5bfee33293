"""The maintenance loop: periodic passes, run by one of the processes that share a database.

One thread keeps the lead and the pulse, and passes run in one more for each lane, so that nothing
waits for what takes longer than itself.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from multiprocessing.connection import Connection

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error, connection, connections, models
from django.utils import timezone

from agents import pulse
from artifacts import joining, removals
from artifacts import retention as artifact_retention
from chains import gone_agents
from chains import transitions as chains
from coordinator_project import endings, statistics, vitals
from coordinator_project.leadership import Fence, Leadership, NotLeading
from coordinator_project.pass_status import PassStatus, PassStatuses
from coordinator_project.reapers import MOST_LINES, AgentReaper, reap_tasks
from coordinator_project.watch import Watch
from events import bounds, partitions, retention
from jobs import command_transitions as commands
from jobs import tally
from jobs.corndogs import outbox
from notifications import sending
from notifications import transitions as notifications
from problems import database
from routing import transitions as routing
from search import indexing, leavings, work
from tasks import claims, leases, tallies
from vault import retention as vault_retention

TICK = 0.5
RETRY_AFTER = 60.0  # seconds until a failed pass runs again, unless it is due before
NO_ANSWER = "No answer for agents: "
LEAVE_PASSES = 4.0  # seconds for the passes that run at the end

log = logging.getLogger("coordinator.maintenance")


class Lane(StrEnum):
    """The thread that runs a pass: passes wait only for those of their own lane."""

    URGENT = "urgent"
    REAPERS = "reapers"
    UPKEEP = "upkeep"
    STORE = "store"
    OUTSIDE = "outside"  # asks servers that are not ours, and waits for them
    NOTIFY = "notify"  # does so, too


@dataclass
class Pass:
    """A periodic task; `run` returns how much it did."""

    name: str
    every: timedelta
    run: Callable[[], int]
    lane: Lane = Lane.URGENT
    due: float = field(default=0.0)


def passes() -> list[Pass]:
    """All passes of the loop."""
    tasks_every, agents_every = settings.REAP_TASKS_EVERY, settings.REAP_AGENTS_EVERY
    outside_every = timedelta(seconds=TICK if settings.CORNDOGS else 60)
    agents = AgentReaper()
    return [
        Pass("tasks.wake_postponed", timedelta(seconds=TICK), leases.wake_postponed),
        Pass("jobs.fold", timedelta(seconds=1), tally.fold),
        Pass("tasks.fold", timedelta(seconds=2), tallies.fold),
        Pass("coordinator.statistics", timedelta(seconds=2), statistics.refresh),
        Pass("events.end_old", timedelta(seconds=5), bounds.end_old),
        Pass("tasks.expire_leases", tasks_every, reap_tasks, Lane.REAPERS),
        Pass("jobs.end_overdue", tasks_every, commands.end_overdue, Lane.REAPERS),
        Pass("jobs.give_up_unserved", tasks_every, commands.give_up_unserved, Lane.REAPERS),
        Pass("chains.detach_expired", tasks_every, chains.detach_expired, Lane.REAPERS),
        Pass("agents.announce", agents_every, agents.announce, Lane.REAPERS),
        Pass("tasks.release_lost", agents_every, agents.release, Lane.REAPERS),
        Pass("chains.detach_lost", agents_every, chains.detach_lost, Lane.REAPERS),
        Pass("tasks.forget_claim_keys", timedelta(hours=1), claims.forget_keys, Lane.UPKEEP),
        Pass("tasks.forget_hours", timedelta(hours=1), tallies.forget_hours, Lane.UPKEEP),
        Pass("tasks.recount", timedelta(hours=1), recount_tasks, Lane.UPKEEP),
        Pass("agents.remove_gone", timedelta(minutes=10), gone_agents.remove, Lane.UPKEEP),
        Pass("accounts.forget_sessions", timedelta(hours=1), forget_sessions, Lane.UPKEEP),
        Pass("events.partitions", timedelta(hours=1), make_months, Lane.UPKEEP),
        Pass("artifacts.remove", timedelta(seconds=5), removals.carry_out, Lane.STORE),
        Pass("artifacts.join_logs", timedelta(seconds=30), joining.join_all, Lane.STORE),
        Pass(
            "artifacts.retention",
            settings.RETENTION_INTERVAL,
            artifact_retention.enforce,
            Lane.STORE,
        ),
        Pass("events.retention", settings.RETENTION_INTERVAL, retention.enforce, Lane.UPKEEP),
        Pass("vault.retention", settings.RETENTION_INTERVAL, vault_retention.enforce, Lane.UPKEEP),
        Pass("routing.forget", timedelta(hours=1), routing.forget, Lane.UPKEEP),
        Pass("search.index", timedelta(seconds=10), indexing.TreeIndexer().run, Lane.UPKEEP),
        Pass("search.tasks", timedelta(seconds=10), work.TaskIndexer().run, Lane.UPKEEP),
        Pass("search.leavings", timedelta(seconds=30), leavings.index_leavings, Lane.STORE),
        Pass("jobs.send_outside", outside_every, outbox.send, Lane.OUTSIDE),
        Pass("notifications.look", timedelta(seconds=5), notifications.look, Lane.UPKEEP),
        Pass("notifications.send", timedelta(seconds=1), sending.send_due, Lane.NOTIFY),
        Pass("notifications.forget", timedelta(hours=1), notifications.forget, Lane.UPKEEP),
    ]


def forget_sessions() -> int:
    """Delete the sessions of people that have expired; return how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


def make_months() -> int:
    """Create the journal's partitions of the coming months; return how many were missing."""
    return partitions.ensure(timezone.now())


def recount_tasks() -> int:
    """Add what the tallies of tasks are short of; return how many of them were wrong."""
    wrong = tallies.repair()
    for one in wrong[:MOST_LINES]:
        log.warning("Tasks had been miscounted.", extra=one._asdict())
    return len(wrong)


class Loop:
    """Runs the passes while this process leads; survives failures of passes and database."""

    def __init__(self, todo: Sequence[Pass], watch: Watch | None = None) -> None:
        self.todo = todo
        self.stop = threading.Event()
        self.leadership = Leadership()
        self.led: int | None = None
        self.reachable = True
        self.heard = True
        self.grace_until: datetime | None = None
        self.watch = watch or Watch()
        self.statuses = PassStatuses({one.name: PassStatus(one.name, one.every) for one in todo})

    def run(self) -> None:
        """Run until `stop` is set; what a pass does then is cut off by the next leader."""
        self.watch.begin(self.stop)
        lanes = [
            threading.Thread(target=self._run_lane, args=[lane], name=lane, daemon=True)
            for lane in Lane
        ]
        for lane in lanes:
            lane.start()
        while not self.stop.is_set():
            self.keep()
            if not self.stop.is_set() and not all(lane.is_alive() for lane in lanes):
                raise RuntimeError("A thread of the loop has died.")
            self.stop.wait(pulse.EVERY)
        end = time.monotonic() + LEAVE_PASSES
        for lane in lanes:
            lane.join(max(0.0, end - time.monotonic()))
        self.give_up()
        connections.close_all()

    def turn(self, now: float) -> None:
        """Keep the lead, run the passes that are due in all lanes, and write how they went."""
        self.keep()
        for lane in Lane:
            self.run_due(lane, now)
        self.keep()

    def give_up(self) -> None:
        """Let another process lead at once."""
        try:
            self.leadership.give_up()
        except Error as problem:
            self._say_unreachable(problem)

    def keep(self) -> None:
        """Renew or take the lead and, as the leader, beat the pulse and write the pass statuses."""
        try:
            with self.watch.over("leadership"):
                leads = self.leadership.keep()
        except Error as problem:
            connections.close_all()
            self._say_unreachable(problem)
            return
        if not self.reachable:
            log.info("The database answers again.")
            self.reachable = True
        if not leads:
            self.statuses.lost()
            self._say_if_deaf()
            return
        self._beat()
        self._write_statuses()

    def _say_if_deaf(self) -> None:
        """Agents are not heard by a process of ours, whoever leads: nobody is lost for that."""
        deaf = vitals.present.deaf()
        try:
            if deaf:
                with self.watch.over("pulse"):
                    pulse.begin_grace()
        except Error as problem:
            connections.close_all()
            self._say_unreachable(problem)
        self._say_heard(not deaf, NO_ANSWER + ", ".join(deaf))

    def _beat(self) -> None:
        """Note that agents can be heard; after a silence of ours, none is taken for lost."""
        term, deaf = self.leadership.term, vitals.present.deaf()
        try:
            with self.watch.over("pulse"):
                until = pulse.beat(*heard_by(), anew=bool(deaf) or term != self.led)
        except Error as problem:
            connections.close_all()
            self._say_heard(False, str(problem).partition("\n")[0])
            return
        late = self.grace_until is not None and until > self.grace_until
        if not deaf and (late or not self.heard):
            log.warning("Agents could not be heard; none is lost before.", extra={"before": until})
        self._say_heard(not deaf, NO_ANSWER + ", ".join(deaf))
        self.grace_until, self.led = until, term

    def _say_heard(self, heard: bool, problem: str) -> None:
        if self.heard and not heard:
            log.warning("Agents cannot be heard.", extra={"problem": problem})
        self.heard = heard

    def _run_lane(self, lane: Lane) -> None:
        while not self.stop.is_set():
            self.run_due(lane, time.monotonic())
            self.stop.wait(TICK)
        connections.close_all()

    def run_due(self, lane: Lane, now: float) -> None:
        """Run the passes of a lane that are due, while this process leads."""
        for one in self.todo:
            term = self.leadership.held()
            if term is None or self.stop.is_set():
                return
            if one.lane == lane and one.due <= now:
                self._do(one, now, term)

    def _do(self, one: Pass, now: float, term: int) -> None:
        every = one.every.total_seconds()
        one.due = now + every
        started = time.monotonic()
        try:
            with self.watch.over(one.name), connection.execute_wrapper(Fence(term)):
                done = one.run()
        except NotLeading:
            log.warning("A pass was left to another leader.", extra={"pass": one.name})
        # The only broad except: a failure of one pass must not end the others.
        except Exception as problem:
            one.due = now + min(every, RETRY_AFTER)
            connections.close_all()
            self.statuses.failed(one.name, problem)
            if database.cause_of(problem) is not None:
                # The database is busy, away or read-only, or ended what took too long.
                why = database.first_line(problem)
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


def heard_by() -> tuple[list[type[models.Model]], list[type[models.Model]]]:
    """The tables that heartbeats, claims and reports write to and read, and some more."""
    written, read = (
        [model for room in rooms for model in apps.get_app_config(room).get_models(True)]
        for rooms in (("events", "agents", "tasks", "chains", "jobs"), ("accounts", "auth"))
    )
    return tables_of(written), tables_of(read)


def tables_of(found: Sequence[type[models.Model]]) -> list[type[models.Model]]:
    return [model for model in found if model._meta.managed and not model._meta.proxy]


def run(ready: Connection) -> None:
    """Run the loop until SIGTERM; the main function of a process."""
    loop = Loop(passes())
    signal.signal(signal.SIGTERM, lambda number, frame: loop.stop.set())
    vitals.beat_in_a_thread()
    ready.send(True)
    loop.run()
    endings.run()
