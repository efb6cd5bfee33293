"""`script/demo sweep`: a grid of optimisation runs, during which one of the workers is killed."""

import argparse
import secrets
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.demo import server, show, sweep_show, sweep_verdict
from benchmarks.demo.grid import JOB, TASKS
from benchmarks.demo.spots import SpotProcesses, SpotProcessesFailed, SpotSettings
from benchmarks.demo.sweep_verdict import SweepRun
from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused, Wire, number, rows, text

WORKERS = 4
SLOW = 250.0
KILL_AFTER = TASKS // 3
LOOK_EVERY = 0.25
SILENCE = 60.0  # seconds without a task that ends
OPEN = frozenset({"PENDING", "RUNNING"})


class SweepFailed(Exception):
    """The sweep does not end."""


def main(argv: list[str]) -> int:
    """Run it on a coordinator of its own; exit code 1 when anything is not right."""
    arguments = _arguments(argv)
    console = Console(highlight=False, soft_wrap=True)
    key = secrets.token_urlsafe(16)
    try:
        with (
            server.fresh(ORHESTRA_AGENT_KEY=key) as url,
            tempfile.TemporaryDirectory(prefix="coordinator-demo-") as logs,
        ):
            return _run(
                console, SpotSettings(url, key, arguments.slow, Path(logs)), arguments.workers
            )
    except (
        server.NoCoordinator,
        CoordinatorUnreachable,
        RequestRefused,
        SpotProcessesFailed,
        SweepFailed,
    ) as problem:
        console.print(f"The demonstration failed: {problem}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(console: Console, settings: SpotSettings, count: int) -> int:
    wire = Wire(settings.url)
    job = wire.post("/api/v1/jobs", JOB)
    job_id = text(job, "jobId")
    console.print(f"{job_id}: {number(job, 'totalTasks')} tasks for {count} workers.")
    began = time.monotonic()
    spots = SpotProcesses(settings, count)
    try:
        run = _watch(console, wire, job_id, spots)
    finally:
        spots.stop()
    took = time.monotonic() - began
    found = sweep_verdict.judge(run)
    console.print(sweep_show.results(run.results))
    console.print(sweep_show.best(run.best))
    console.print(sweep_show.summary(run, found, took))
    for complaint in found.complaints:
        console.print(complaint, style="red", markup=False)
    return 1 if found.complaints else 0


def _watch(console: Console, wire: Wire, job_id: str, spots: SpotProcesses) -> SweepRun:
    """Wait for the end of the job; kill a worker and replace it when a third is done."""
    killed = replacement = ""
    done, news_at = 0, time.monotonic()
    with show.Bar(console, TASKS) as bar:
        while True:
            spots.look()
            job = wire.get(f"/api/v1/jobs/{job_id}")
            before, done = done, number(job, "completedTasks")
            if done > before:
                news_at = time.monotonic()
                bar.show(done)
            if text(job, "status") not in OPEN:
                break
            if time.monotonic() - news_at > SILENCE:
                raise SweepFailed(f"No task has ended for {SILENCE:.0f} seconds.")
            if done >= KILL_AFTER and not killed:
                killed = spots.kill_one(wire)
                replacement = spots.start()
                console.print(f"{killed} was killed at work; {replacement} takes its place.")
            time.sleep(LOOK_EVERY)
    results = list(wire.pages(f"/api/v1/jobs/{job_id}/results", "results"))
    best = rows(wire.get(f"/api/v1/jobs/{job_id}/best"), "byFunction")
    # All of the journal: this coordinator has done nothing else.
    events = list(wire.pages("/v1/events", "events", source="coordinator", limit=1000))
    return SweepRun(job, results, best, events[::-1], killed, replacement)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/demo sweep",
        description=f"Run {TASKS} optimisation tasks on real workers and a coordinator of their "
        "own, kill one of the workers at work, and check everything.",
    )
    parser.add_argument("--workers", type=_count, default=WORKERS, help=f"processes ({WORKERS})")
    parser.add_argument(
        "--slow",
        type=float,
        default=SLOW,
        metavar="MS",
        help=f"milliseconds each task takes longer than it has to ({SLOW:.0f})",
    )
    return parser.parse_args(argv)


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be a number of at least 1")
    return count
