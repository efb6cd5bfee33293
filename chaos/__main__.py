"""`script/chaos`: a run from the command line."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos import plan
from chaos.run import Options, Run
from chaos.servers import StartFailed
from chaos.verdict import judge, report


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="coordinator-chaos-"))
    folder.chmod(0o711)  # PostgreSQL's own user passes through
    options = Options(
        seconds=given.minutes * 60,
        seed=given.seed,
        kinds=given.faults,
        longest=given.longest,
        servers=given.coordinators,
        within=given.within,
        rest=given.rest,
        fleet=given.fleet,
        keep=given.keep,
    )
    run = Run(options, folder, say)
    try:
        with run.alive():
            run.break_things()
            run.end()
        verdict = judge(run)
        say(f"\n{report(run, verdict)}\n")
        say(f"Seed {options.seed}: " + ("clean." if verdict.is_clean else "not clean."))
    except StartFailed as problem:
        say(str(problem))
        return 1
    finally:
        if given.keep:
            say(f"All logs and data are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if verdict.is_clean else 1


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="script/chaos", description=__doc__)
    add: Callable[..., argparse.Action] = made.add_argument
    add("--minutes", type=float, default=2.0, help="of faults; default 2")
    add("--seed", type=int, default=1, help="the same faults in the same order; default 1")
    add(
        "--faults",
        type=kinds,
        default=plan.KINDS,
        metavar="KIND,…",
        help=f"only these; default all: {','.join(plan.KINDS)}",
    )
    add("--longest", type=float, default=20.0, help="seconds of one fault; default 20")
    add("--coordinators", type=int, choices=(1, 2), default=2, help="on one database; default 2")
    add("--within", type=float, default=10.0, help="seconds to be well again in; default 10")
    add(
        "--rest", type=float, default=60.0, help="seconds for the open tasks at the end; default 60"
    )
    add("--fleet", type=int, default=1, help="how many times nine agents; default 1")
    add("--keep", action="store_true", help="keep the folder with all logs and data")
    return made


def kinds(text: str) -> list[str]:
    chosen = [one for one in text.replace(",", " ").split() if one]
    unknown = [one for one in chosen if one not in plan.KINDS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"{text!r}: choose among {', '.join(plan.KINDS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
