"""`python -m benchmarks.demo`: run the demonstration; exit code 1 when anything is not right."""

import argparse
import os
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from benchmarks.demo import ci, collab, routing, server, show, sweep, verdict, work
from benchmarks.demo.agent import AgentSettings
from benchmarks.demo.fleet import DemoFleet, FleetFailed
from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused, Wire


def main() -> int:
    signal.signal(signal.SIGTERM, _leave)  # so that what was started is stopped
    if sys.argv[1:2] == ["sweep"]:
        return sweep.main(sys.argv[2:])
    if sys.argv[1:2] == ["ci"]:
        return ci.main(sys.argv[2:])
    if sys.argv[1:2] == ["collab"]:
        return collab.main(sys.argv[2:])
    if sys.argv[1:2] == ["routing"]:
        return routing.main(sys.argv[2:])
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    token = os.environ.get("COORDINATOR_AUTH_TOKEN", "")
    try:
        with server.found(token) as url:
            return _run(console, url, token, arguments)
    except (server.NoCoordinator, CoordinatorUnreachable, RequestRefused, FleetFailed) as problem:
        console.print(f"The demonstration failed: {problem}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(console: Console, url: str, token: str, arguments: argparse.Namespace) -> int:
    wire = Wire(url, token)
    files = work.library(arguments.files)
    console.print(f"{len(files)} files and {work.CHAINS} chains go to the coordinator at {url}.")
    started = time.monotonic()
    plan = work.enqueue(wire, files)
    enqueued = time.monotonic()
    names = [f"demo {os.getpid()} {number}" for number in range(1, arguments.agents + 1)]
    fleet = DemoFleet(
        [AgentSettings(url, token, name, plan.channel_id, arguments.pause) for name in names]
    )

    def look() -> set[str]:
        return verdict.ended(verdict.tasks_of(wire, plan))

    try:
        fleet.wait_until_ready()
        with show.Bar(console, plan.total) as bar:
            begun = time.monotonic()
            fleet.work(plan.total, look, bar.show)
            done = time.monotonic()
    finally:
        fleet.stop()
    checking = time.monotonic()
    found = verdict.judge(plan, verdict.tasks_of(wire, plan), verdict.events_of(wire, plan))
    times = show.Times(enqueued - started, done - begun, time.monotonic() - checking)
    console.print(show.table(plan, fleet, found, times))
    for complaint in found.complaints:
        console.print(complaint, style="red", markup=False)
    return 1 if found.complaints else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/demo",
        description="Hash Python's standard library with a fleet of agents, beside three chains "
        "of steps, and check everything. Speaks to the coordinator at COORDINATOR_URL, or "
        "starts one when none runs.",
        epilog="script/demo sweep: a grid of optimisation runs instead, one worker of which dies. "
        "script/demo ci: commands with logs and files, one runner of which dies. "
        "script/demo collab: leased jobs, dead letters and listeners. "
        "script/demo routing: calls of language models among three providers.",
    )
    parser.add_argument("--files", type=_count, help="take only so many files")
    parser.add_argument("--agents", type=_count, default=4, help="processes that work (4)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds each task takes longer")
    return parser.parse_args()


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be a number of at least 1")
    return count


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
