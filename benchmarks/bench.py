"""What the coordinator costs, set against SQL alone, a short queue, a bare table and more."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cycles, growth, paths, search, slow, tables, unclaimable, waiting
from benchmarks.coordinator import CoordinatorFailed
from benchmarks.dashboards import browser
from benchmarks.dashboards import measure as dashboards
from benchmarks.objects import measure as objects
from benchmarks.results import Section
from benchmarks.run import Run
from benchmarks.sweeps import measure as sweeps
from coordinator_project.env import BASE_DIR

# The legs beside the cycles; each measures on coordinators of its own.
LEGS: Mapping[str, Callable[[Run], list[Section]]] = {
    "tables": tables.measure,
    "unclaimable": unclaimable.measure,
    "paths": paths.measure,
    "waiting": waiting.measure,
    "growth": growth.measure,
    "sweeps": sweeps.measure,
    "dashboards": dashboards.measure,
    "browser": browser.measure,
    "slow": slow.measure,
    "logs": objects.measure_logs,
    "files": objects.measure_files,
    "search": search.measure,
}
KEYS = [*(cycle.key for cycle in cycles.CYCLES), *LEGS]


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's own user passes through
        run = Run(folder, options.product)
        if options.quick:
            run.quick, run.rounds, run.seconds = True, 1, 0.5
        else:
            run.rounds, run.seconds, run.large = options.rounds, options.seconds, options.large
            run.log_megabytes, run.file_mebibytes = options.log_megabytes, options.file_mebibytes
            run.searched_files = options.searched_files
        try:
            sections = measure(run, options.legs, options.against)
        except CoordinatorFailed as problem:
            run.say(str(problem))
            return 1
    show(run, sections, markdown=options.markdown)
    return 1 if options.strict and any(section.is_missed for section in sections) else 0


def measure(run: Run, legs: Sequence[str], against: Path | None) -> list[Section]:
    chosen = [cycle for cycle in cycles.CYCLES if cycle.key in legs]
    if against:
        return cycles.compare(run, chosen, against)
    sections = cycles.measure(run, chosen) if chosen else []
    for name, measure_leg in LEGS.items():
        if name in legs:
            run.say(name)
            sections += measure_leg(run)
    return sections


def show(run: Run, sections: Sequence[Section], *, markdown: bool) -> None:
    run.say()
    date = f"Measured on {datetime.now(UTC):%Y-%m-%d}: " if markdown else ""
    run.say(f"{date}{run.ran_on}.\n")
    for section in sections:
        run.say(f"{section.text(markdown=markdown)}\n")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    add: Callable[..., argparse.Action] = made.add_argument
    add("--legs", nargs="+", choices=KEYS, default=KEYS, metavar="LEG", help=", ".join(KEYS))
    add("--rounds", type=at_least(1), default=5, help="of every cycle; default 5")
    add("--seconds", type=at_least(1), default=4, help="for each leg; default 4")
    add(
        "--large",
        type=at_least(growth.SMALL),
        default=1_000_000,
        help="tasks of the large queue; default 1,000,000",
    )
    add("--log-megabytes", type=at_least(1), default=100, help="of a command's log; default 100")
    add("--file-mebibytes", type=at_least(1), default=1024, help="of its file; default 1,024")
    add("--searched-files", type=at_least(1), default=50_000, help="of a tree; default 50,000")
    add("--quick", action="store_true", help="everything once and briefly: does it work at all?")
    add("--markdown", action="store_true", help="the result as docs/performance.md has it")
    add("--strict", action="store_true", help="exit with 1 when a target is missed")
    add(
        "--product",
        type=checkout,
        default=BASE_DIR,
        metavar="FOLDER",
        help="measure the coordinator of another checkout",
    )
    add(
        "--against",
        type=checkout,
        metavar="FOLDER",
        help="compare the cycles with those of another checkout, in turn",
    )
    return made


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def checkout(text: str) -> Path:
    folder = Path(text).resolve()
    if not (folder / "manage.py").exists():
        raise argparse.ArgumentTypeError(f"{folder} is not a checkout of the coordinator")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
