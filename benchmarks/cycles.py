"""The cycle of claim and completion over HTTP: against SQL alone, or against another checkout."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import over_http, queue, sql_baseline
from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.results import Section, Speed, SpeedRatio, quietness, speed_heads
from benchmarks.run import Run

# Tasks that wait at the start of a leg, for each second of it: more than anybody gets through.
ENOUGH = {1: 10_000, 10: 30_000, 50: 50_000}
LEAST_SECONDS = 1.0  # of a leg of pgbench, which counts whole seconds


@dataclass(frozen=True)
class Cycle:
    """How the work is done over HTTP; `at_least` is the target for its ratio to SQL."""

    key: str
    name: str
    batch: int
    at_least: float


CYCLES = (
    Cycle("two", "two requests a cycle", 1, 0.22),
    Cycle("report", "one report a cycle", 1, 0.15),
    Cycle("batch10", "report, batches of 10", 10, 0.35),
    Cycle("batch50", "report, batches of 50", 50, 0.50),
)


class CycleLegs:
    """The legs on one coordinator; each finds the queue in the same state."""

    def __init__(self, run: Run, coordinator: Coordinator, db: psycopg.Connection) -> None:
        self.folder = run.folder
        self.seconds = run.seconds
        self.coordinator = coordinator
        self.db = db
        self.channel = coordinator.open_channel(queue.CHANNEL)
        sql_baseline.register(db)

    def in_sql(self, batch: int) -> Speed:
        self.refill(batch)
        file = self.folder / f"cycle-{batch}.sql"
        file.write_text(sql_baseline.script(self.channel, batch))
        return self._checked(sql_baseline.cycles(self.coordinator, file, self.seconds, batch))

    def over_http(self, cycle: Cycle, seconds: float | None = None) -> Speed:
        self.refill(cycle.batch)
        work = over_http.two_requests if cycle.key == "two" else over_http.reports
        seconds = self.seconds if seconds is None else seconds
        return self._checked(over_http.cycles(self.coordinator, seconds, cycle.batch, work))

    def warm_up(self, cycles: Sequence[Cycle]) -> None:
        """Have connections, prepared statements and caches ready before the first round."""
        for cycle in cycles:
            self.over_http(cycle, min(self.seconds, 0.5))

    def _checked(self, speed: Speed) -> Speed:
        """The same speed, if the tasks that it counts are done, and in the journal."""
        done, completions = queue.count_done(self.db)
        if done < speed.ended * speed.batch or completions != done:
            raise CoordinatorFailed(
                f"{speed.ended} cycles of {speed.batch} were counted, but {done} tasks are done "
                f"and the journal has {completions} completions."
            )
        return speed

    def refill(self, batch: int) -> None:
        tasks = int(ENOUGH[batch] * max(self.seconds, LEAST_SECONDS))
        queue.refill(self.db, self.channel, tasks)


def measure(run: Run, cycles: Sequence[Cycle]) -> list[Section]:
    """Each cycle over HTTP and the same in SQL."""
    ratios = [SpeedRatio(cycle.name, cycle.at_least) for cycle in cycles]
    with run.coordinator("cycles") as (coordinator, db):
        legs = CycleLegs(run, coordinator, db)
        legs.warm_up(cycles)
        for turn in run.turns(list(zip(cycles, ratios, strict=True))):
            in_sql: dict[int, Speed] = {}
            for cycle, ratio in turn:
                batch = cycle.batch
                if batch not in in_sql:
                    in_sql[batch] = legs.in_sql(batch)
                    run.say(f"  {f'SQL, {batch} at a time':<24}{in_sql[batch]}")
                ratio.reference.append(in_sql[batch])
                ratio.speeds.append(legs.over_http(cycle))
                run.say(f"  {cycle.name:<24}{ratio.speeds[-1]}   ratio {ratio.rounds[-1]:.3f}")
    return [Section(speed_heads("HTTP", "SQL"), ratios, quietness(ratios))]


def compare(run: Run, cycles: Sequence[Cycle], other: Path) -> list[Section]:
    """Each cycle over HTTP on the coordinator that is measured and on that of another checkout."""
    ratios = [SpeedRatio(cycle.name) for cycle in cycles]
    with ExitStack() as stack:
        sides = {
            name: CycleLegs(run, *stack.enter_context(run.coordinator(name, product)))
            for name, product in (("this", run.product), ("other", other))
        }
        for legs in sides.values():
            legs.warm_up(cycles)
        for turn in run.turns(list(zip(cycles, ratios, strict=True))):
            for cycle, ratio in turn:
                results = {"this": ratio.speeds, "other": ratio.reference}
                for name in sorted(sides, reverse=len(ratio.speeds) % 2 == 0):
                    results[name].append(sides[name].over_http(cycle))
                    run.say(f"  {f'{cycle.name}, {name}':<32}{results[name][-1]}")
    return [Section(speed_heads("this", "other"), ratios, quietness(ratios))]
