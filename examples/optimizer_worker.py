#!/usr/bin/env python3
"""A SPOT worker: claims optimisation tasks from the coordinator, runs them, reports the results.

    python3 optimizer_worker.py --url http://127.0.0.1:8080 --spot-id spot-1

It needs Python 3.9 and nothing else. The agent key is read from ORHESTRA_AGENT_KEY. The payload of
a task has one of two forms:

    {"alg": "PSO", "iterations": 100, "agents": 10, "dimension": 2}
    {"params": {"algorithm.name": "PSO", "algorithm.function": "sphere", "run.iterations": 100,
                "run.agents": 10, "run.dimension": 2}}

Only the last part of a name with dots counts; `algorithm.name` is the algorithm: PSO, GA or DE.
`function` may be sphere (the default), ackley, rosenbrock or rastrigin; `seed` may be given.
To run something else, replace `read` and `solve`: the code below them is the same for any task.
"""

# ruff: noqa: B905, RUF007, S310, S311  (Python 3.9 has no better way to pair values)

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import logging
import math
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TypedDict

# What is optimised: each function, and how far from zero its variables may go.

Point = list[float]
Found = tuple[float, Point]  # a value and where it is; of two, the smaller is the better
Function = Callable[[Point], float]


def sphere(x: Point) -> float:
    return sum(v * v for v in x)


def ackley(x: Point) -> float:
    spread = math.sqrt(sum(v * v for v in x) / len(x))
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * spread) - math.exp(waves)


def rosenbrock(x: Point) -> float:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def rastrigin(x: Point) -> float:
    return sum(v * v - 10 * math.cos(2 * math.pi * v) + 10 for v in x)


FUNCTIONS: dict[str, tuple[Function, float]] = {
    "sphere": (sphere, 5.12),
    "ackley": (ackley, 32.768),
    "rosenbrock": (rosenbrock, 2.048),
    "rastrigin": (rastrigin, 5.12),
}


class Space:
    """Where a function is looked at, and the dice thrown there."""

    def __init__(self, function: str, dimension: int, seed: int) -> None:
        self.function, self.edge = FUNCTIONS[function]
        self.dimension, self.dice = dimension, random.Random(seed)

    def at(self, point: Point) -> Found:
        inside = [max(-self.edge, min(self.edge, value)) for value in point]
        return self.function(inside), inside

    def anywhere(self) -> Found:
        return self.at([self.dice.uniform(-self.edge, self.edge) for _ in range(self.dimension)])


# How: each algorithm yields the best it knows, once an iteration, for as long as the run lasts.


def pso(space: Space, agents: int) -> Iterator[Found]:
    """A swarm: each flies on, drawn to the best it has seen and to the best of all."""
    chance = space.dice.random
    swarm = [space.anywhere() for _ in range(agents)]
    speeds = [[0.0] * space.dimension for _ in swarm]
    own, best = swarm[:], min(swarm)
    while True:
        for i, (_, here) in enumerate(swarm):
            ways = zip(speeds[i], here, own[i][1], best[1])
            speeds[i] = [
                0.7298 * speed + 1.4962 * (chance() * (mine - x) + chance() * (ours - x))
                for speed, x, mine, ours in ways
            ]
            swarm[i] = space.at([x + speed for x, speed in zip(here, speeds[i])])
            own[i], best = min(own[i], swarm[i]), min(best, swarm[i])
        yield best


def ga(space: Space, agents: int) -> Iterator[Found]:
    """Generations: the better of two have children between them; the best one stays."""
    dice = space.dice
    herd = [space.anywhere() for _ in range(agents)]
    while True:
        young = [min(herd)]
        while len(young) < agents:
            _, mother = min(dice.choice(herd), dice.choice(herd))
            _, father = min(dice.choice(herd), dice.choice(herd))
            child = [m + dice.uniform(-0.25, 1.25) * (f - m) for m, f in zip(mother, father)]
            child[dice.randrange(len(child))] += dice.gauss(0, space.edge) * 10 ** dice.uniform(
                -5, -1
            )
            young.append(space.at(child))
        herd = young
        yield min(herd)


def de(space: Space, agents: int) -> Iterator[Found]:
    """Differential evolution: the difference of two moves a third."""
    dice = space.dice
    herd = [space.anywhere() for _ in range(agents)]
    while True:
        for i in range(agents):
            a, b, c = (herd[j][1] for j in [j for j in dice.sample(range(agents), 4) if j != i][:3])
            child, always = herd[i][1][:], dice.randrange(space.dimension)
            for d in range(space.dimension):
                if d == always or dice.random() < 0.9:
                    child[d] = a[d] + 0.6 * (b[d] - c[d])
            herd[i] = min(herd[i], space.at(child))
        yield min(herd)


ALGORITHMS = {"PSO": pso, "GA": ga, "DE": de}

# What a task asks for.

Body = dict[str, object]


class TaskFailed(Exception):
    """The task cannot be done here; `final`: nor by any other worker."""

    def __init__(self, error: str, final: bool = False, reason: str = "RUNTIME_ERROR") -> None:
        super().__init__(error)
        self.report: Body = {"error": error, "retriable": not final, "failureReason": reason}


@dataclass(frozen=True)
class OptimizerRun:
    """One run of an algorithm. The same settings and seed have the same result."""

    algorithm: str
    function: str
    iterations: int
    agents: int
    dimension: int
    seed: int


def read(payload: str) -> OptimizerRun:
    data = json.loads(payload)
    params = data.get("params", data) if isinstance(data, dict) else None
    if not isinstance(params, dict):
        raise TaskFailed("The payload is no object of parameters.", final=True)
    named = {name.rpartition(".")[2].lower(): value for name, value in params.items()}
    algorithm = params.get("algorithm.name") or named.get("algorithm") or named.get("alg")
    function = named.get("function", "sphere")
    if algorithm not in ALGORITHMS or function not in FUNCTIONS:
        raise TaskFailed(f"{algorithm} on {function} is not known here.", reason="UNSUPPORTED")
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    named = {"seed": int(digest[:12], 16), **named}
    least = {"iterations": 1, "agents": 4, "dimension": 1, "seed": 0}  # DE combines four agents
    return OptimizerRun(algorithm, function, *(_whole(named, name, least[name]) for name in least))


def _whole(named: Body, name: str, least: int) -> int:
    value = named.get(name)
    if isinstance(value, dict):  # older jobs have {"max": 100} for 100
        value = value.get("max")
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise TaskFailed(f"{name} is {value!r}, not a whole number of at least {least}.", final=True)


def solve(run: OptimizerRun, look_up: Callable[[], None] = lambda: None) -> Body:
    """Run it; `look_up` is called after each iteration, and ends the run by raising something."""
    space = Space(run.function, run.dimension, run.seed)
    steps = ALGORITHMS[run.algorithm](space, run.agents)
    every = math.ceil(run.iterations / 100)  # a curve of about a hundred points
    curve = []
    for number in range(1, run.iterations + 1):
        fopt, place = next(steps)
        if number % every == 0 or number in (1, run.iterations):
            curve.append([number, fopt])
        look_up()
    settled = json.dumps({"function": run.function, "seed": run.seed})
    result: Body = {"iter": run.iterations, "fopt": fopt, "bestPos": place}
    return {**result, "charts": {"convergence": curve}, "resultJson": settled}


# How tasks are claimed and reported.

log = logging.getLogger("worker")
IDLE = 0.5  # seconds between two claims while there is nothing to do
TOO_MANY = 429  # requests; this one is taken later
LONGEST_PAUSE = 3.0  # seconds between two tries while the coordinator does not respond
TROUBLE = (OSError, http.client.HTTPException, ValueError)  # with the network, or in a response


class ReportRefused(Exception):
    """The coordinator refuses a request."""


class WorkerTask(TypedDict):
    id: str
    payload: str
    leaseEpoch: int


class CoordinatorResponse(TypedDict, total=False):
    spotId: str
    tasks: list[WorkerTask]
    lost: list[str]
    cancelled: list[str]
    drain: bool


class Worker:
    """One SPOT. It runs a task at a time, while a thread of its own sends heartbeats."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.me: Body = {"spotId": options.spot_id} if options.spot_id else {}
        self.held: dict[str, int] = {}  # the tasks in hand, and the lease epoch of each
        self.running = ""
        self.news: dict[tuple[str, int], Exception] = {}  # what heartbeats brought about them
        self.draining = False
        self.leave_by = math.inf  # on the clock of time.monotonic()

    def run(self) -> None:
        optimizer = {"algorithms": list(ALGORITHMS), "functions": list(FUNCTIONS)}
        hello: Body = {
            "spotInfo": {"host": socket.gethostname(), "cpuCores": os.cpu_count() or 1},
            "capabilities": {"optimizers": [{"optimizerId": "plain-python", **optimizer}]},
        }
        self.me = {"spotId": self.ask("hello", hello)["spotId"]}
        log.info("%s works for %s", self.me["spotId"], self.options.url)
        threading.Thread(target=self._beat, daemon=True).start()
        while self.leave_by == math.inf:
            claim: Body = {"maxTasks": self.options.batch}
            tasks = [] if self.draining else self.ask("tasks/claim", claim)["tasks"]
            self.held = {task["id"]: task["leaseEpoch"] for task in tasks}
            for task in tasks:
                self.running = task["id"]
                self._do(task)
                del self.held[task["id"]]
            if self.options.once or (self.options.until_empty and not tasks):
                return
            if not tasks:
                time.sleep(IDLE)

    def leave(self, number: int, frame: FrameType | None) -> None:
        """On a signal: end after the task in hand, if that is soon done. On a second one: now."""
        if self.leave_by < math.inf:
            sys.exit(128 + number)
        self.leave_by = time.monotonic() + self.options.grace

    def _do(self, task: WorkerTask) -> None:
        try:
            verb, report = self._outcome(task)
            # With its epoch, a late report cannot be taken for one of a later lease.
            report["leaseEpoch"] = task["leaseEpoch"]
            self.ask(f"tasks/{task['id']}/{verb}", report)
            log.info("%s: %s %s", task["id"], verb, report.get("fopt", report.get("error")))
        except ReportRefused as refusal:  # 409: another has it by now, or it was cancelled
            log.warning("%s is dropped: %s", task["id"], refusal)

    def _outcome(self, task: WorkerTask) -> tuple[str, Body]:
        """Run a task; what to report of it, and how."""
        begun = time.monotonic()
        try:
            if self.leave_by < math.inf:
                raise TaskFailed("The worker had to stop before the task began.")
            run = read(task["payload"])
            result = solve(run, lambda: self._look_up(task, run.iterations))
        except ReportRefused:
            raise
        except TaskFailed as failure:
            return "fail", failure.report
        except Exception as problem:  # one task that goes wrong must not end the worker
            log.exception("%s went wrong", task["id"])
            return "fail", TaskFailed(f"{type(problem).__name__}: {problem}").report
        return "complete", {**result, "runtimeMs": round(1000 * (time.monotonic() - begun))}

    def _look_up(self, task: WorkerTask, iterations: int) -> None:
        """Between two iterations: should this run go on?"""
        time.sleep(self.options.slow / 1000 / iterations)
        if news := self.news.get((task["id"], task["leaseEpoch"])):
            raise news
        if time.monotonic() > self.leave_by:
            raise TaskFailed("The worker had to stop.")

    def _beat(self) -> None:
        """Report the held tasks every few seconds, which renews their leases; note what is lost."""
        cores = os.cpu_count() or 1
        while True:
            held = dict(self.held)
            load = min(100.0, 100 * os.getloadavg()[0] / cores)
            beat: Body = {"cpuLoad": load, "totalCores": cores, "runningTasks": len(held)}
            beat["tasks"] = [{"id": task_id, "leaseEpoch": held[task_id]} for task_id in held]
            # Nobody is blamed for what has not begun, should this worker vanish.
            beat["waiting"] = [task_id for task_id in held if task_id != self.running]
            with suppress(ReportRefused, *TROUBLE):  # claims and reports log the same trouble
                response = self.ask("heartbeat", beat)
                for task_id in response.get("lost", []):
                    self.news[task_id, held.get(task_id, 0)] = ReportRefused(
                        "it is not ours any more"
                    )
                for task_id in response.get("cancelled", []):
                    cancelled = TaskFailed("Cancelled on request.", final=True)
                    self.news[task_id, held.get(task_id, 0)] = cancelled
                self.draining = response.get("drain", False)
            time.sleep(self.options.beat)

    def ask(self, path: str, body: Body) -> CoordinatorResponse:
        """Send a request until there is a response, however long the coordinator is away.

        Sending it twice does no harm: an accepted report is known again, and tasks of a claim whose
        response was lost are queued again when their lease ends.
        """
        url = f"{self.options.url.rstrip('/')}/internal/v1/{path}"
        headers = {"Content-Type": "application/json", "X-Orhestra-Key": self.options.key}
        content = json.dumps({**self.me, **body}).encode()
        pause = 0.1
        while True:
            request = urllib.request.Request(url, content, headers)
            try:
                with urllib.request.urlopen(request, timeout=15) as response:
                    data: CoordinatorResponse = json.load(response)
                    return data
            except TROUBLE as problem:
                if isinstance(problem, urllib.error.HTTPError) and is_final(problem.code):
                    raise ReportRefused(f"{problem.code} {problem.read().decode()}") from None
                if time.monotonic() > self.leave_by:
                    raise
                log.warning("%s: %s; trying again", path, problem)
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE)


def is_final(status: int) -> bool:
    """Whether the same request would be answered the same again."""
    return status < 500 and status != TOO_MANY


def main() -> int:
    parser = argparse.ArgumentParser(description="Run optimisation tasks for the coordinator.")
    add = parser.add_argument
    key = os.environ.get("ORHESTRA_AGENT_KEY", "")
    add("--url", default="http://127.0.0.1:8080", help="where the coordinator is")
    add("--key", default=key, help="the agent key; safer in ORHESTRA_AGENT_KEY")
    add("--spot-id", default="", help="its name; with one, a restart is the same SPOT")
    add("--batch", type=int, default=1, metavar="N", help="take up to 10 tasks at a time")
    add("--once", action="store_true", help="claim once, run those tasks and end")
    add("--until-empty", action="store_true", help="end when there is nothing to claim")
    add("--slow", type=float, default=0, metavar="MS", help="have each task last longer")
    add("--beat", type=float, default=2.5, metavar="S", help="seconds between heartbeats")
    add("--grace", type=float, default=10, metavar="S", help="seconds left to a task at a signal")
    worker = Worker(parser.parse_args())
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    signal.signal(signal.SIGTERM, worker.leave)
    signal.signal(signal.SIGINT, worker.leave)
    try:
        worker.run()
    except (ReportRefused, *TROUBLE) as problem:
        log.error("The coordinator at %s: %s", worker.options.url, problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
