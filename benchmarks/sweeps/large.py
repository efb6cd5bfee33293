"""A large job while it is made: how long it takes, its memory, and who else is kept waiting."""

import threading
import time
from contextlib import ExitStack, closing
from itertools import cycle
from statistics import median

from benchmarks import machine
from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.over_http import Connection
from benchmarks.results import Finding
from benchmarks.sweeps import workers

CONNECTIONS = 4  # so that every process of the server gets some
PACE = 0.05
ALGORITHMS = ["PSO", "GA"]
HELD_LITTLE = 200.0  # megabytes more than before, for the largest process


def measure(coordinator: Coordinator, tasks: int) -> list[Finding]:
    """Make a job of so many tasks while health is read and an idle SPOT claims."""
    before = _peak(coordinator)
    making = Making(coordinator, tasks)
    times: dict[str, list[float]] = {"health": [], "the claim of an idle SPOT": []}
    requests = [workers.HEALTH, workers.claim("idle-spot", 1)]
    with ExitStack() as stack:
        connections = [
            stack.enter_context(closing(Connection(coordinator.port))) for _ in range(CONNECTIONS)
        ]
        making.start()
        for connection in cycle(connections):
            for took, request in zip(times.values(), requests, strict=True):
                started = time.perf_counter()
                connection.ask(request)
                took.append((time.perf_counter() - started) * 1000)
            if making.ended.wait(PACE):
                break
    more = _peak(coordinator) - before
    return [
        Finding(f"a job of {tasks:,} tasks is made", f"{making.seconds():.1f} s"),
        Finding(
            "- memory of the largest process",
            f"{before:.0f} MB, {more:.0f} more",
            f"≤ {HELD_LITTLE:.0f} more",
            is_missed=more > HELD_LITTLE,
        ),
        *(
            Finding(f"- meanwhile {what}", f"median {median(took):.1f}, most {max(took):.1f} ms")
            for what, took in times.items()
        ),
    ]


def _peak(coordinator: Coordinator) -> float:
    return machine.peak_megabytes(coordinator.server, [coordinator.postgres])


class Making(threading.Thread):
    """The request for a job, on its way."""

    def __init__(self, coordinator: Coordinator, tasks: int) -> None:
        super().__init__(daemon=True)
        self.coordinator = coordinator
        self.tasks = tasks
        self.ended = threading.Event()
        self.took: float | None = None

    def run(self) -> None:
        started = time.perf_counter()
        try:
            workers.make_job(self.coordinator, self.tasks, ALGORITHMS)
            self.took = time.perf_counter() - started
        finally:
            self.ended.set()

    def seconds(self) -> float:
        if self.took is None:
            raise CoordinatorFailed(f"The job of {self.tasks} tasks was not made.")
        return self.took
