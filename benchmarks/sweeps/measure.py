"""All that is measured of sweeps, on coordinators of its own."""

from dataclasses import dataclass

from benchmarks.results import Section, finding_heads, time_heads
from benchmarks.run import Run
from benchmarks.sweeps import backlog, drain, large


@dataclass(frozen=True)
class SweepSize:
    """How many tasks: of the job that is worked through, that are pending, of the largest job,
    that are completed at once; and how often the compared claims are made."""

    through: int = 5_000
    pending: int = 20_000
    large: int = 100_000
    at_once: int = 1_600
    claims: int = 200


QUICK = SweepSize(through=160, pending=400, large=1_000, at_once=160, claims=5)


def measure(run: Run) -> list[Section]:
    """Findings about one coordinator, and claims compared by what stands before their tasks."""
    size = QUICK if run.quick else SweepSize()
    run.say(f"  a job of {size.through:,} tasks, reports at once, a job of {size.large:,}")
    with run.coordinator("sweeps") as (coordinator, db):
        findings = drain.through(coordinator, db, size.through)
        findings += drain.at_once(coordinator, size.at_once, run.rounds)
        findings += large.measure(coordinator, size.large)
    run.say(f"  claims behind {size.pending:,} tasks")
    health, ratios = backlog.measure(run, size.pending, size.claims)
    return [
        Section(finding_heads("sweep"), [*findings, *health]),
        Section(time_heads("claim by a SPOT", "alone", "behind"), ratios),
    ]
