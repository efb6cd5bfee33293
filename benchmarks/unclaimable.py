"""What one task costs that nobody can do, while everybody else's tasks go by."""

from statistics import median
from uuid import UUID

import psycopg

from benchmarks import over_http, queue
from benchmarks.coordinator import Coordinator
from benchmarks.results import Finding, Section, Speed, finding_heads
from benchmarks.run import Run

TASKS = 10_000
A_SECOND = 2_500  # more than anybody gets through
AT_MOST = 1.1
LOWEST = -(2**31)
WITHOUT, WITH = "report and claim, no such task", "- with one such task"


def measure(run: Run) -> list[Section]:
    """Reports that claim the next task, with and without one that wants what nobody offers."""
    speeds: dict[str, list[Speed]] = {WITHOUT: [], WITH: []}
    with run.coordinator("unclaimable") as (coordinator, db):
        channel = coordinator.open_channel(queue.CHANNEL)
        _work(run, coordinator, db, channel, 0.5)
        for turn in run.turns([WITHOUT, WITH]):
            for name in turn:
                speed = _work(run, coordinator, db, channel, run.seconds, unclaimable=name == WITH)
                speeds[name].append(speed)
                run.say(f"  {name:<32}{speed}")
    ratio = median(
        without.cycles / beside.cycles
        for without, beside in zip(speeds[WITHOUT], speeds[WITH], strict=True)
    )
    return [
        Section(
            finding_heads("a task that nobody can do"),
            [
                *(
                    Finding(name, f"{median(speed.cycles for speed in rounds):,.0f}/s")
                    for name, rounds in speeds.items()
                ),
                Finding("- times slower", f"{ratio:.2f}", f"≤ {AT_MOST}", ratio > AT_MOST),
            ],
        )
    ]


def _work(
    run: Run,
    coordinator: Coordinator,
    db: psycopg.Connection,
    channel: UUID,
    seconds: float,
    *,
    unclaimable: bool = False,
) -> Speed:
    queue.refill(db, channel, max(TASKS, int(A_SECOND * run.seconds)))
    if unclaimable:
        task = {
            "channel": queue.CHANNEL,
            "title": "for nobody",
            "priority": LOWEST,
            "wants": {"bench": "nobody offers this"},
        }
        coordinator.post("/v1/tasks", task)
    return over_http.cycles(coordinator, seconds, 1, over_http.reports)
