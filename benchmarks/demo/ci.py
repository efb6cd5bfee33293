"""`script/demo ci`: commands of a repository made on the spot, during which a runner is killed."""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.demo import server
from benchmarks.demo.show import mark
from benchmarks.demo.wire import Body, CoordinatorUnreachable, RequestRefused, Wire, rows, text
from coordinator_project.env import BASE_DIR

CLIENT = [sys.executable, "-m", "coordinator_client.commands"]
LEASE = 4  # seconds; short, so that the killed runner's command is soon another's
PATIENCE = 90.0
LOOK_EVERY = 0.2
ENDED = frozenset({"completed", "failed", "cancelled", "timeout"})
REPORT = "report.bin"

TESTS = """import unittest

class Sums(unittest.TestCase):
    def test_a_sum(self):
        self.assertEqual(1 + 1, {sum})

if __name__ == "__main__":
    unittest.main()
"""
PASSING = """set -e
for step in 1 2 3; do echo "step $step of 3"; sleep 1; done
python3 good_tests.py
head -c 300000 /dev/urandom > "$COORDINATOR_ARTIFACTS/{report}"
echo "sha256 $(sha256sum < "$COORDINATOR_ARTIFACTS/{report}" | cut -d' ' -f1)"
"""
ONCE = "[ -e {mark} ] && exit 0; touch {mark}; sleep 600"
"""The first attempt does not end by itself, the second one at once."""


class CiFailed(Exception):
    """The commands do not end."""


@dataclass
class Expected:
    """A command of the demonstration, and what has to come of it."""

    name: str
    command: str
    status: str
    exit_code: int | None
    more: list[str] = field(default_factory=list)
    job_id: str = ""
    took: float = 0.0


def plan(mark: Path) -> dict[str, Expected]:
    """What is submitted; `mark` is a file that the first attempt of one command makes."""
    commands = [
        Expected("passes", PASSING.format(report=REPORT), "completed", 0),
        Expected("fails", "python3 bad_tests.py", "failed", 1),
        Expected("times out", "sleep 60", "timeout", 143, ["--timeout", "2"]),
        Expected("is cancelled", "echo begun; sleep 60", "cancelled", 143),
        Expected(
            "loses its runner", ONCE.format(mark=mark), "completed", 0, ["--max-attempts", "2"]
        ),
    ]
    return {one.name: one for one in commands}


class Desk:
    """The command line of the client, and the runners that it starts."""

    def __init__(self, url: str, folder: Path, queue: str) -> None:
        self.wire = Wire(url)
        self.folder = folder
        self.queue = queue
        self.runners: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **server.surroundings(),
            "COORDINATOR_URL": url,
            "COORDINATOR_ALLOWED_ROOTS": str(folder),
            "PYTHONPATH": str(BASE_DIR / "client"),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def say(self, *words: str) -> str:
        """What the client prints; its exit code is the caller's to expect."""
        done = self._run(*words)
        if done.returncode:
            raise CiFailed(f"coordinator {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def _run(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(  # noqa: S603
            [*CLIENT, *words], env=self.environment, capture_output=True, timeout=PATIENCE
        )

    def submit(self, one: Expected, repository: Path) -> None:
        where = ["--git", f"file://{repository}", "--ref", "main", "--queue", self.queue]
        said = self.say(
            *("job", "submit", one.command, "--name", one.name, "--json", *where, *one.more)
        )
        one.job_id = said.partition('"job_id": "')[2].partition('"')[0]

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.runners[name] = subprocess.Popen(  # noqa: S603
                [
                    *CLIENT,
                    *("agent", "run", "--queue", self.queue, "--concurrency", "3"),
                    *("--agent-id", name, "--lease-seconds", str(LEASE)),
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        for runner in self.runners.values():
            if runner.poll() is None:
                runner.terminate()
        for runner in self.runners.values():
            try:
                runner.wait(20)
            except subprocess.TimeoutExpired:
                runner.kill()
                runner.wait()

    def job(self, one: Expected) -> Body:
        return self.wire.get(f"/api/v1/jobs/{one.job_id}")


@dataclass
class Followed:
    """The log of a command as it was followed: each line, and whether the command still ran."""

    lines: list[str] = field(default_factory=list)
    while_running: int = 0


def follow(desk: Desk, one: Expected, console: Console) -> tuple[threading.Thread, Followed]:
    """Follow the log in a thread, as `coordinator job logs -f` prints it."""
    followed = Followed()

    def read() -> None:
        words = ["job", "logs", one.job_id, "-f"]
        with subprocess.Popen(  # noqa: S603
            [*CLIENT, *words],
            env=desk.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as client:
            for line in client.stdout or ():
                followed.lines.append(line.rstrip("\n"))
                console.print(f"  {one.name} │ {line.rstrip()}", markup=False)
                followed.while_running += text(desk.job(one), "status") == "running"

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, followed


def main(argv: list[str]) -> int:
    """Run it on a coordinator of its own; exit code 1 when anything is not right."""
    argparse.ArgumentParser(
        prog="script/demo ci",
        description="Run five commands of a git repository on two runners and a coordinator of "
        "their own, follow a log, cancel one command, kill a runner at work, and check everything.",
    ).parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    settings = {"COORDINATOR_TASK_REAPER_SECONDS": "1", "CANCEL_GRACE_SECONDS": "5"}
    try:
        with (
            server.fresh(**settings) as url,
            tempfile.TemporaryDirectory(prefix="coordinator-demo-") as top,
        ):
            return _run(console, Desk(url, Path(top), "demo-ci"))
    except (
        server.NoCoordinator,
        CoordinatorUnreachable,
        RequestRefused,
        CiFailed,
        subprocess.SubprocessError,
    ) as problem:
        console.print(f"The demonstration failed: {problem}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(console: Console, desk: Desk) -> int:
    repository = make_repository(desk.folder / "project")
    wanted = plan(desk.folder / "begun")
    with _runners(desk):
        console.print("Two runners; five commands of a repository that was made for them.")
        first, *others = wanted.values()
        desk.submit(first, repository)
        thread, followed = follow(desk, first, console)
        for one in others:
            desk.submit(one, repository)
        _until(lambda: _runs(desk, wanted["is cancelled"]), "the command to cancel runs")
        desk.say("job", "cancel", wanted["is cancelled"].job_id)
        lost = wanted["loses its runner"]
        _until((desk.folder / "begun").exists, "the command to lose its runner has begun")
        # The others first: what the killed runner also runs would be lost with it.
        _until(
            lambda: all(_ended(desk, one) for one in wanted.values() if one is not lost),
            "all commands but that one end",
        )
        killed = _kill_runner_of(desk, lost)
        console.print(f"{killed} was killed at work.")
        _until(lambda: all(_ended(desk, one) for one in wanted.values()), "all commands end")
        thread.join(20)
        found = judge(desk, wanted, followed, killed)
    console.print(table(desk, wanted))
    console.print(checks(found))
    complaints = [name for name, fine in found.items() if not fine]
    for complaint in complaints:
        console.print(f"Not right: {complaint}", style="red", markup=False)
        for name in desk.runners:
            console.print((desk.folder / f"{name}.log").read_text(), markup=False)
    return 1 if complaints else 0


def make_repository(folder: Path) -> Path:
    """A repository with tests that pass and tests that fail, committed."""
    folder.mkdir()
    (folder / "good_tests.py").write_text(TESTS.format(sum=2))
    (folder / "bad_tests.py").write_text(TESTS.format(sum=3))
    who = ["-c", "user.name=demo", "-c", "user.email=demo@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "Tests"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)  # noqa: S603, S607
    return folder


@contextmanager
def _runners(desk: Desk) -> Iterator[None]:
    try:
        desk.start("runner-1")
        desk.start("runner-2")
        yield
    finally:
        desk.stop()


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise CiFailed(f"Within {PATIENCE:.0f} s it did not happen that {what}.")
        time.sleep(LOOK_EVERY)


def _runs(desk: Desk, one: Expected) -> bool:
    return text(desk.job(one), "status") == "running"


def _ended(desk: Desk, one: Expected) -> bool:
    return text(desk.job(one), "status") in ENDED


def _kill_runner_of(desk: Desk, one: Expected) -> str:
    """Kill, by SIGKILL, the runner that runs this command; the other one goes on."""
    name = text(desk.job(one), "worker_id")
    os.kill(desk.runners[name].pid, signal.SIGKILL)
    desk.runners[name].wait()
    return name


def judge(
    desk: Desk, wanted: Mapping[str, Expected], followed: Followed, killed: str
) -> dict[str, bool]:
    """What had to be so, and whether it is."""
    jobs = {name: desk.job(one) for name, one in wanted.items()}
    lost = jobs["loses its runner"]
    task = desk.wire.get(f"/v1/tasks/{text(lost, 'task_id')}")["task"]
    attempts = task.get("bad_attempts") if isinstance(task, dict) else None
    return {
        "Every command ended as it had to": all(
            _is_as_expected(jobs[name], one) for name, one in wanted.items()
        ),
        "The killed runner's command was tried again": isinstance(attempts, list)
        and len(attempts) == 1
        and text(lost, "worker_id") != killed,
        "The log was followed while it grew": followed.while_running >= 2,
        "The file came back as it was": _file_is_right(desk, wanted["passes"], followed),
        "Only the killed runner left a workspace": _left_by(desk) == {killed},
    }


def _is_as_expected(job: Body, one: Expected) -> bool:
    return text(job, "status") == one.status and job.get("exit_code") == one.exit_code


def _left_by(desk: Desk) -> set[str]:
    """The runners of which workspaces are left; they would be removed at the next start."""
    return {
        name
        for name in desk.runners
        if any(name in str(path) for path in (desk.folder / "state").rglob("workspaces/*"))
    }


def _file_is_right(desk: Desk, one: Expected, followed: Followed) -> bool:
    said = [line.split()[-1] for line in followed.lines if line.startswith("sha256 ")]
    folder = desk.folder / "downloads"
    desk.say("job", "artifacts", one.job_id, "--download", str(folder))
    content = next(folder.rglob(REPORT)).read_bytes()
    listed = rows(desk.wire.get(f"/api/v1/jobs/{one.job_id}/artifacts"), "artifacts")
    digest = hashlib.sha256(content).hexdigest()
    return said == [digest] == [text(row, "sha256") for row in listed]


def table(desk: Desk, wanted: Mapping[str, Expected]) -> Table:
    shown = Table("Command", "Status", "Exit code", "Runner", "Error", title="Coordinator: CI")
    for name, one in wanted.items():
        job = desk.job(one)
        cells = (job.get(key) for key in ("status", "exit_code", "worker_id", "last_error"))
        shown.add_row(name, *("" if cell is None else str(cell) for cell in cells))
    return shown


def checks(found: Mapping[str, bool]) -> Table:
    shown = Table("Check", "Came out", min_width=80)
    for name, fine in found.items():
        shown.add_row(name, mark([] if fine else [name]))
    return shown
