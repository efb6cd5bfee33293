"""Sixteen SPOTs at once: a job from the first claim to the last completion, and completions alone.

Reports on the same job must not wait for each other: completions a second on one job are compared
with those on sixteen jobs, one for each SPOT.
"""

from statistics import median

import orjson
import psycopg

from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.machine import Meter
from benchmarks.results import Finding
from benchmarks.sweeps import workers
from benchmarks.sweeps.workers import SpotWorkers

CLAIMERS = 16
BATCH, LARGEST_BATCH = 5, 10
LEAST_RATIO = 0.8

JournalCounts = dict[str, tuple[int, int]]  # events and the tasks that they name, by type of event


def through(coordinator: Coordinator, db: psycopg.Connection, tasks: int) -> list[Finding]:
    """Claim five, complete each, until a job of so many tasks is done; whether it all adds up."""
    job_id = workers.make_job(coordinator, tasks)
    spots = SpotWorkers(coordinator, CLAIMERS)
    meter = Meter(coordinator.processes)
    meter.start()
    took = spots.each(lambda spot: spot.drain(BATCH))
    shares = ", ".join(f"{name} {share:.0%}" for name, share in meter.stop().items())
    job = orjson.loads(coordinator.get(f"{workers.JOBS}/{job_id}"))
    counters = job["totalTasks"], job["completedTasks"], job["failedTasks"]
    check(spots.claimed_ids, journal_of(db, job_id), counters, tasks)
    return [
        Finding(f"{CLAIMERS} claimers, batch {BATCH}, {tasks:,} tasks", f"{tasks / took:,.0f}/s"),
        Finding("- shares of a core", shares),
        Finding("- claimed twice, by id or journal", "none", "none"),
        Finding("- done/failed, by the job", f"{counters[1]:,}/{counters[2]}"),
    ]


def journal_of(db: psycopg.Connection, job_id: str) -> JournalCounts:
    rows = db.execute(
        "SELECT type, count(*), count(DISTINCT task_id) FROM events_event"
        " WHERE replace(job_id, '-', '') = %s AND task_id IS NOT NULL GROUP BY type",
        [job_id.removeprefix("job-")],
    ).fetchall()
    return {name: (events, named) for name, events, named in rows}


def check(
    claimed_ids: list[str], counts: JournalCounts, counters: tuple[int, int, int], tasks: int
) -> None:
    """Every task was claimed once and done once: to the SPOTs, in the journal and by the job."""
    if not len(claimed_ids) == len(set(claimed_ids)) == tasks:
        raise CoordinatorFailed(
            f"{len(claimed_ids)} tasks were claimed, {len(set(claimed_ids))} of them different, "
            f"where {tasks} were made."
        )
    once = dict.fromkeys(("task.created", "task.claimed", "task.completed"), (tasks, tasks))
    if counts != once:
        raise CoordinatorFailed(f"The journal has {counts} where {once} is right.")
    if counters != (tasks, tasks, 0):
        raise CoordinatorFailed(f"The job counts {counters} of {tasks} tasks.")


def at_once(coordinator: Coordinator, tasks: int, rounds: int) -> list[Finding]:
    """Completions a second of so many tasks: of one job, and of sixteen."""
    speeds: dict[int, list[float]] = {1: [], CLAIMERS: []}
    for number in range(rounds):
        for jobs in sorted(speeds, reverse=bool(number % 2)):
            speeds[jobs].append(_completions(coordinator, tasks, jobs))
    pairs = zip(speeds[1], speeds[CLAIMERS], strict=True)
    ratio = median(one / sixteen for one, sixteen in pairs)
    return [
        Finding(f"{CLAIMERS} complete tasks of one job", f"{median(speeds[1]):,.0f}/s"),
        Finding(f"- of {CLAIMERS} jobs", f"{median(speeds[CLAIMERS]):,.0f}/s"),
        Finding("- ratio", f"{ratio:.2f}", f"≥ {LEAST_RATIO}", is_missed=ratio < LEAST_RATIO),
    ]


def _completions(coordinator: Coordinator, tasks: int, jobs: int) -> float:
    """Each SPOT takes its share first, one after the other: of sixteen jobs, one of its own."""
    share = tasks // CLAIMERS
    for _ in range(jobs):
        workers.make_job(coordinator, share * CLAIMERS // jobs)
    spots = SpotWorkers(coordinator, CLAIMERS)
    spots.in_turn(lambda spot: spot.take(share, LARGEST_BATCH))
    return share * CLAIMERS / spots.each(lambda spot: spot.finish())
