"""All that is measured of sweeps, on coordinators of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.coordinator import running
from benchmarks.results import Finding, Growth
from benchmarks.sweeps import backlog, drain, large

Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How many tasks: of the job that is worked through, that are pending, of the largest job,
    that are completed at once; and how often what is compared is done."""

    through: int = 5_000
    pending: int = 20_000
    large: int = 100_000
    at_once: int = 1_600
    claims: int = 200
    rounds: int = 5


QUICK = Size(through=160, pending=400, large=1_000, at_once=160, claims=5, rounds=1)


def measure(folder: Path, size: Size, say: Say) -> tuple[str, list[Finding], list[Growth]]:
    """What was found, what claims cost by what stands ahead, and on what it was measured."""
    say(f"sweeps: a job of {size.through:,} tasks, reports at once, a job of {size.large:,}")
    with running(folder / "sweeps") as coordinator, coordinator.connect() as db:
        ran_on = machine.description(db)
        found = drain.through(coordinator, db, size.through)
        found += drain.at_once(coordinator, size.at_once, size.rounds)
        found += large.measure(coordinator, size.large)
    say(f"sweeps: claims with {size.pending:,} tasks ahead")
    checks, grown = backlog.measure(folder, size.pending, size.claims)
    return ran_on, [*found, *checks], grown
