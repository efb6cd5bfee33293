"""Was every task of the sweep done, exactly once, with the result that it has to have?"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.demo import verdict
from benchmarks.demo.grid import FUNCTIONS, POINTS, TASKS, point
from benchmarks.demo.verdict import SHOWN, DemoVerdict
from benchmarks.demo.wire import Body, inner, text
from examples import optimizer_worker

GOOD_ENOUGH = 1e-3  # for PSO on the sphere in two dimensions
DONE_AGAIN = ("PSO", "sphere")  # the runs that are worked out here again, to compare
COUNTERS: Body = {
    "status": "COMPLETED",
    "totalTasks": TASKS,
    "completedTasks": TASKS,
    "failedTasks": 0,
}


@dataclass(frozen=True, slots=True)
class SweepRun:
    """The coordinator's data on a sweep that has ended, and which worker was replaced.

    `best`: the best result of each function.
    """

    job: Body
    results: Sequence[Body]
    best: Sequence[Body]
    events: Sequence[Body]
    killed: str
    replacement: str


@dataclass
class SweepVerdict:
    """Complaints by kind."""

    counters: list[str] = field(default_factory=list)
    grid: list[str] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    death: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    taken_back: int = 0

    @property
    def complaints(self) -> list[str]:
        kinds = (self.counters, self.grid, self.once, self.death, self.results)
        return [line for kind in kinds for line in kind[:SHOWN]]


def judge(run: SweepRun) -> SweepVerdict:
    """Hold the job, its results and the journal against the grid."""
    once = DemoVerdict()
    verdict.follow_tasks(run.events, {text(result, "taskId") for result in run.results}, once)
    return SweepVerdict(
        counters=list(_wrong_counters(run.job)),
        grid=list(_wrong_points(run.results)),
        once=once.once,
        death=list(_wrong_death(run)),
        results=[*_wrong_best(run), *_wrong_results(run.results)],
        taken_back=once.taken_back,
    )


def is_easy(result: Body) -> bool:
    """PSO on the sphere in two dimensions, which has to come out well."""
    algorithm, function, *_, dimension = point(result) or ("", "", 0)
    return (algorithm, function, dimension) == ("PSO", "sphere", 2)


def fopt(result: Body) -> float:
    found = result.get("fopt")
    return float(found) if isinstance(found, (int, float)) else float("inf")


def _wrong_counters(job: Body) -> Iterator[str]:
    for name, expected in COUNTERS.items():
        if job.get(name) != expected:
            yield f"{name} of the job is {job.get(name)}, not {expected}"


def _wrong_points(results: Sequence[Body]) -> Iterator[str]:
    found, expected = Counter(map(point, results)), Counter(POINTS)
    for where in (expected - found) or ():
        yield f"there is no result for {where}"
    for where in (found - expected) or ():
        yield f"there is a result too many for {where}"


def _wrong_death(run: SweepRun) -> Iterator[str]:
    """The task in the hands of the killed worker has to be done by another."""
    retried = {
        text(event, "task_id")
        for event in run.events
        if event["type"] == "task.retried" and text(event, "agent_id") == run.killed
    }
    doers = {text(result, "taskId"): text(result, "assignedTo") for result in run.results}
    if not run.killed:
        yield "no worker was killed"
    elif not retried:
        yield f"{run.killed} was killed, but nothing was taken back from it"
    for task_id in retried:
        if doers.get(task_id, run.killed) == run.killed:
            yield f"{task_id} was taken from {run.killed}, but nobody else has done it"
    if run.replacement and run.replacement not in doers.values():
        yield f"{run.replacement}, which took the place of {run.killed}, has done nothing"


def _wrong_best(run: SweepRun) -> Iterator[str]:
    shown = {text(row, "function"): fopt(row) for row in run.best}
    for function in FUNCTIONS:
        values = [fopt(row) for row in run.results if row.get("function") == function]
        best, right = shown.get(function), min(values, default=None)
        if best != right:
            yield f"the best of {function} is shown as {best}, not {right}"


def _wrong_results(results: Sequence[Body]) -> Iterator[str]:
    for result in results:
        if is_easy(result) and not fopt(result) < GOOD_ENOUGH:
            yield f"{point(result)} came to {fopt(result)}, which is not below {GOOD_ENOUGH}"
        if point(result)[:2] == DONE_AGAIN:
            payload = json.dumps({"params": inner(result, "params")})
            right = optimizer_worker.solve(optimizer_worker.read(payload))["fopt"]
            if fopt(result) != right:
                yield f"{point(result)} came to {fopt(result)}, not {right}"
