"""What a claim costs behind a backlog: three coordinators side by side, asked in turn.

On all three a SPOT that offers what it can do claims tasks of a sweep. Just before each claim as
many tasks as it claims are added at the end of the queue:

- alone: nothing else is in the queue;
- many: the backlog is tasks that the SPOT can do as well, so it gets the oldest of them;
- unserved: the backlog is tasks that no SPOT can do; it gets the ones just added.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from statistics import median, quantiles
from typing import Self

import psycopg

from benchmarks import machine, queue
from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.over_http import Connection
from benchmarks.results import Finding, TimeRatio
from benchmarks.run import Run
from benchmarks.sweeps import workers

ALONE, MANY, UNSERVED = "alone", "many", "unserved"
BATCHES = (1, 5)
OFFERED = ["PSO"]
MISSING = [f"MISSING-{number}" for number in range(10)]
WARM_UP = 10
HEALTH_CHECKS = 300
HEALTHY = 20.0  # milliseconds, within which health answers


class Backlog:
    """One coordinator with its queue, and the SPOT that claims there."""

    def __init__(self, coordinator: Coordinator, db: psycopg.Connection, kind: str, tasks: int):
        self.coordinator = coordinator
        self.db = db
        self.spot = "spot-1"
        if kind == UNSERVED:
            workers.make_job(coordinator, tasks, MISSING)
        workers.make_job(coordinator, tasks if kind == MANY else 1, OFFERED)
        row = db.execute(
            "SELECT channel_id, job_id, requirement_id, title, payload::text"
            " FROM tasks_task ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None or row[2] is None:
            raise CoordinatorFailed("The tasks of a sweep have no requirement.")
        self.like = {
            "channel_id": f"'{row[0]}'::uuid",
            "job_id": f"'{row[1]}'::uuid",
            "requirement_id": str(row[2]),
            "title": f"'{row[3]}'",
            "payload": f"'{row[4]}'",
        }

    @contextmanager
    def awake(self) -> Iterator[Self]:
        """With a connection, over which the SPOT has offered what it can do."""
        with closing(Connection(self.coordinator.port)) as self.connection:
            self.connection.ask(workers.hello(self.spot, OFFERED))
            yield self

    def claim(self, tasks: int) -> float:
        """How many seconds a claim of so many tasks takes; they are done afterwards."""
        queue.insert(self.db, tasks, **self.like, queue_at="now()")
        claim = workers.claim(self.spot, tasks)
        started = time.perf_counter()
        response = self.connection.ask(claim)
        took = time.perf_counter() - started
        claimed = workers.claimed(response)
        if len(claimed) != tasks:
            raise CoordinatorFailed(f"A claim got {len(claimed)} tasks instead of {tasks}.")
        for task_id in claimed:
            workers.check_accepted(self.connection.ask(workers.complete(self.spot, task_id)))
        return took

    def health(self) -> list[float]:
        """How many milliseconds each of many health checks takes."""
        times = []
        for _ in range(HEALTH_CHECKS):
            started = time.perf_counter()
            self.connection.ask(workers.HEALTH)
            times.append((time.perf_counter() - started) * 1000)
        return times


def measure(run: Run, tasks: int, claims: int) -> tuple[list[Finding], list[TimeRatio]]:
    """Health with so many tasks pending, and the median times of so many claims of each kind."""
    with ExitStack() as stack:
        backlogs = {}
        for kind in (ALONE, MANY, UNSERVED):
            coordinator, db = stack.enter_context(run.coordinator(kind))
            backlogs[kind] = Backlog(coordinator, db, kind, tasks)
        for backlog in backlogs.values():
            stack.enter_context(backlog.awake())
        processes = {
            f"{part} {kind}": pid
            for kind, backlog in backlogs.items()
            for part, pid in backlog.coordinator.processes.items()
        }
        meter = machine.Meter(processes)
        meter.start()
        checks = health(backlogs[MANY].health(), tasks)
        ratios = [one for batch in BATCHES for one in _compare(backlogs, batch, tasks, claims)]
        others = f"{meter.stop()[machine.OTHERS]:.0%} of a core"
    return [*checks, Finding("- others then, and while claims were compared", others)], ratios


def health(times: Sequence[float], tasks: int) -> list[Finding]:
    """What health takes, set against its target."""
    checks = {
        f"health, {tasks:,} tasks pending": median(times),
        "- 99th percentile": quantiles(times, n=100)[98],
    }
    return [
        Finding(name, f"{took:.1f} ms", f"≤ {HEALTHY:.0f} ms", took > HEALTHY)
        for name, took in checks.items()
    ]


def _compare(backlogs: dict[str, Backlog], batch: int, tasks: int, claims: int) -> list[TimeRatio]:
    """Claim behind each backlog in turn, each time beginning with another."""
    times: dict[str, list[float]] = {kind: [] for kind in backlogs}
    order = list(backlogs)
    for _ in range(min(WARM_UP, claims) + claims):
        order.append(order.pop(0))
        for kind in order:
            times[kind].append(backlogs[kind].claim(batch) * 1000)
    middle = {kind: median(took[-claims:]) for kind, took in times.items()}
    what = f"{batch} {'task' if batch == 1 else 'tasks'}"
    return [
        TimeRatio(f"{what}, {tasks:,} pending", middle[ALONE], middle[MANY]),
        TimeRatio(f"{what}, {tasks:,} before it for nobody", middle[ALONE], middle[UNSERVED]),
    ]
