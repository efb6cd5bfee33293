"""`script/fuzz`: a run from the command line."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.servers import StartFailed
from fuzz.report import report
from fuzz.roles import ROLES
from fuzz.run import Run


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="coordinator-fuzz-"))
    folder.chmod(0o711)  # PostgreSQL's own user passes through
    roles = [role for name, role in ROLES.items() if name in (given.role or ROLES)]
    run = Run(folder, roles, given.minutes * 60, given.seed, say)
    try:
        run.go()
        say(f"\n{report(run)}\n")
        say(f"Seed {given.seed}: " + ("clean." if run.is_clean else "not clean."))
    except StartFailed as problem:
        say(run.world.hidden(str(problem)))
        return 1
    finally:
        if given.keep:
            say(f"The log and the data are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if run.is_clean else 1


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    add: Callable[..., argparse.Action] = made.add_argument
    add("--minutes", type=float, default=5.0, help="for all roles together; default 5")
    add("--seed", type=int, default=1, help="of what is drawn at random; default 1")
    add("--role", action="append", choices=ROLES, help="only this one; may be repeated")
    add("--keep", action="store_true", help="keep the folder with the log and the data")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
