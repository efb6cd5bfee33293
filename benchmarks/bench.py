"""The cycle of claim and completion over HTTP against its limit, the same work straight in SQL."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks import growth, line, machine, over_http, sql_baseline
from benchmarks.coordinator import Coordinator, CoordinatorFailed, running
from benchmarks.dashboards import measure as dashboards
from benchmarks.results import (
    FINDING_HEADS,
    PAIRS,
    RATIO_HEADS,
    Finding,
    Growth,
    Pair,
    Ratios,
    Row,
    Speed,
    quietness,
    table,
)
from benchmarks.sweeps import measure as sweeps

GROWTH, SWEEPS, DASHBOARDS = "growth", "sweeps", "dashboards"
GROWTH_HEADS = ["claim", "small, ms", "large, ms", "ratio", "target", ""]
AHEAD_HEADS = ["claim by a SPOT", "alone, ms", "behind, ms", "ratio", "target", ""]
DASHBOARD_HEADS = ["dashboards", "", "target", ""]
# Tasks that wait at the start of a leg, for each second of it: more than anybody gets through.
ENOUGH = {1: 10_000, 10: 30_000, 50: 50_000}
LEAST_SECONDS = 1.0  # of a leg of pgbench, which counts whole seconds


@dataclass(frozen=True)
class Plan:
    """What to measure, how often and for how long."""

    pairs: Sequence[Pair]
    growth: bool
    rounds: int
    seconds: float
    large: int
    claims: int
    sweeps: sweeps.Size | None
    dashboards: dashboards.Size | None


@dataclass
class Measured:
    """What came out, of whatever was measured, and what it ran on."""

    ran_on: str = ""
    ratios: Sequence[Ratios] = ()
    grown: Sequence[Growth] = ()
    found: Sequence[Finding] = ()
    behind: Sequence[Growth] = ()
    watched: Sequence[Finding] = ()

    @property
    def is_missed(self) -> bool:
        """Whether any target is."""
        return any(row.is_missed for _, rows in self.tables() for row in rows)

    def tables(self) -> list[tuple[list[str], Sequence[Row]]]:
        """The heads of each table, and its rows."""
        return [
            (RATIO_HEADS, self.ratios),
            (GROWTH_HEADS, self.grown),
            (FINDING_HEADS, self.found),
            (AHEAD_HEADS, self.behind),
            (DASHBOARD_HEADS, self.watched),
        ]


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201


class Cycles:
    """The legs on one coordinator; each finds the line in the same state."""

    def __init__(self, coordinator: Coordinator, db: psycopg.Connection, folder: Path) -> None:
        self.coordinator = coordinator
        self.db = db
        self.folder = folder
        self.channel = coordinator.open_channel(line.CHANNEL)
        sql_baseline.register(db)

    def measure(self, plan: Plan) -> list[Ratios]:
        """All rounds of all pairs; every other round runs backwards."""
        ratios = [Ratios(pair) for pair in plan.pairs]
        self._warm_up(plan)
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            self._round(ratios if number % 2 == 0 else ratios[::-1], plan.seconds)
        return ratios

    def _round(self, ratios: Sequence[Ratios], seconds: float) -> None:
        straight_by_batch: dict[int, Speed] = {}
        for one in ratios:
            pair = one.pair
            if pair.batch not in straight_by_batch:
                speed = straight_by_batch[pair.batch] = self.straight(pair.batch, seconds)
                say(f"  {f'SQL, {pair.batch} at a time':<24}{speed}")
            one.straight.append(straight_by_batch[pair.batch])
            one.over_http.append(self.over_http(pair, seconds))
            say(f"  {pair.name:<24}{one.over_http[-1]}   ratio {one.all[-1]:.3f}")

    def _warm_up(self, plan: Plan) -> None:
        """Connections, prepared statements and caches are there before the first round."""
        for pair in plan.pairs:
            self.over_http(pair, min(plan.seconds, 0.5))

    def straight(self, batch: int, seconds: float) -> Speed:
        self._refill(batch, seconds)
        file = self.folder / f"cycle-{batch}.sql"
        file.write_text(sql_baseline.script(self.channel, batch))
        return self._checked(sql_baseline.cycles(self.coordinator, file, seconds, batch))

    def over_http(self, pair: Pair, seconds: float) -> Speed:
        self._refill(pair.batch, seconds)
        single = pair.key == "two"
        return self._checked(over_http.cycles(self.coordinator, seconds, pair.batch, single=single))

    def _checked(self, speed: Speed) -> Speed:
        """The same speed, if the tasks that it speaks of are done and the journal knows it."""
        done, told = line.done(self.db)
        if done < speed.ended * speed.batch or told != done:
            raise CoordinatorFailed(
                f"{speed.ended} cycles of {speed.batch} were counted, but {done} tasks are done "
                f"and the journal tells of {told}."
            )
        return speed

    def _refill(self, batch: int, seconds: float) -> None:
        line.refill(self.db, self.channel, int(ENOUGH[batch] * max(seconds, LEAST_SECONDS)))


def measure_cycles(plan: Plan, folder: Path) -> tuple[str, list[Ratios]]:
    with running(folder / "cycles") as coordinator, coordinator.connect() as db:
        ran_on = machine.description(db)
        say(ran_on)
        return ran_on, Cycles(coordinator, db, folder).measure(plan)


def main(arguments: Sequence[str]) -> int:
    wanted = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    plan = plan_of(wanted)
    with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's own user passes through
        try:
            measured = measure(plan, folder)
        except CoordinatorFailed as problem:
            say(str(problem))
            return 1
    show(measured, markdown=wanted.markdown)
    return exit_code(measured, strict=wanted.strict)


def measure(plan: Plan, folder: Path) -> Measured:
    done = Measured()
    if plan.pairs:
        done.ran_on, done.ratios = measure_cycles(plan, folder)
    if plan.growth:
        done.ran_on, done.grown = growth.measure(folder, plan.large, plan.claims, say)
    if plan.sweeps:
        done.ran_on, done.found, done.behind = sweeps.measure(folder, plan.sweeps, say)
    if plan.dashboards:
        done.ran_on, done.watched = dashboards.measure(folder, plan.dashboards, say)
    return done


def exit_code(measured: Measured, *, strict: bool) -> int:
    """A missed target is told, and counts as a failure only where that is asked for."""
    return 1 if measured.is_missed and strict else 0


def show(measured: Measured, *, markdown: bool) -> None:
    say()
    if markdown:
        say(f"Measured on {datetime.now(UTC):%Y-%m-%d}: {measured.ran_on}.\n")
    for heads, rows in measured.tables():
        if rows:
            say(table(heads, [one.row() for one in rows], markdown=markdown))
            say()
    if measured.ratios:
        say(quietness(measured.ratios))


def plan_of(wanted: argparse.Namespace) -> Plan:
    pairs = [pair for pair in PAIRS if pair.key in wanted.legs]
    long, swept, seen = (leg in wanted.legs for leg in (GROWTH, SWEEPS, DASHBOARDS))
    if wanted.quick:
        swept_size, seen_size = sweeps.QUICK, dashboards.QUICK
    else:
        swept_size = sweeps.Size(rounds=wanted.rounds)
        seen_size = dashboards.Size(rounds=wanted.rounds, leg=wanted.seconds)
    return Plan(
        pairs,
        growth=long,
        rounds=1 if wanted.quick else wanted.rounds,
        seconds=0.5 if wanted.quick else wanted.seconds,
        large=2_000 if wanted.quick else wanted.large,
        claims=5 if wanted.quick else 200,
        sweeps=swept_size if swept else None,
        dashboards=seen_size if seen else None,
    )


def parser() -> argparse.ArgumentParser:
    keys = [*(pair.key for pair in PAIRS), GROWTH, SWEEPS, DASHBOARDS]
    made = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    add: Callable[..., argparse.Action] = made.add_argument
    add("--legs", nargs="+", choices=keys, default=keys, metavar="LEG", help=", ".join(keys))
    add("--rounds", type=at_least(1), default=5, help="of every cycle; default 5")
    add("--seconds", type=at_least(1), default=4, help="for each leg; default 4")
    add(
        "--large",
        type=at_least(growth.SMALL),
        default=1_000_000,
        help="tasks of the large line; default 1,000,000",
    )
    add("--quick", action="store_true", help="everything once and briefly: does it work at all?")
    add("--markdown", action="store_true", help="the result as docs/performance.md has it")
    add("--strict", action="store_true", help="exit with 1 when a target is missed")
    return made


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
