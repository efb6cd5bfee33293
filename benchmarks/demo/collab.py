"""`script/demo collab`: leased jobs on four workers, one of which is killed; others listen."""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from benchmarks.demo import collab_verdict as verdict
from benchmarks.demo import server
from benchmarks.demo.ci import checks
from benchmarks.demo.collab_ears import Ears, gaps
from benchmarks.demo.collab_worker import LEASE, REPORT
from benchmarks.demo.wire import (
    Body,
    CoordinatorUnreachable,
    RequestRefused,
    Wire,
    inner,
    rows,
    text,
)
from coordinator_project import env, lifeline

EXECUTOR = "demo-collab"
WORKERS = tuple(f"collab-{number}" for number in range(1, 5))
SUMS = 40
BACK_WITHIN = LEASE + 10.0  # seconds after its worker was killed
PATIENCE = 90.0
LOOK_EVERY = 0.2
ENDED = frozenset({"succeeded", "dead_lettered", "cancelled"})


class CollabFailed(Exception):
    """The jobs do not go on."""


@dataclass
class Collab:
    """The jobs of the demonstration, by what they are for, and the workers."""

    url: str
    folder: Path
    wire: Wire = field(init=False)
    jobs: dict[str, str] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wire = Wire(self.url)

    def assign(self, name: str, **payload: object) -> tuple[str, bool]:
        """Queue a job with its name as its key; its id, and whether it is new."""
        body: Body = {
            "type": "sum" if name.startswith("sum") else "step",
            "executorId": EXECUTOR,
            "idempotencyKey": f"demo:{name}",
            "payload": payload,  # type: ignore[dict-item]
            "traceId": f"trace-{name}",
        }
        answer = self.wire.post("/api/collab/task.assign", body)
        self.jobs[name] = text(answer, "jobId")
        return text(answer, "jobId"), answer.get("queued") is True

    def job(self, name: str) -> Body:
        return self.wire.get(f"/api/collab/job/{self.jobs[name]}")

    def status(self, name: str) -> str:
        return text(self.job(name), "status")

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.workers[name] = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "benchmarks.demo.collab_worker", self.url, EXECUTOR, name],
                cwd=env.BASE_DIR,
                env=server.surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(lifeline.die_with, os.getpid(), signal.SIGTERM),
            )

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.terminate()
        for worker in self.workers.values():
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def until(self, holds: Callable[[], bool], what: str, within: float = PATIENCE) -> float:
        """Wait for something; the seconds that it took."""
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > within:
                raise CollabFailed(f"Within {within:.0f} s it did not happen that {what}.")
            time.sleep(LOOK_EVERY)
        return time.monotonic() - begun

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=20) as answer:  # noqa: S310
            return verdict.counters(answer.read().decode())


def main(argv: list[str]) -> int:
    """Run it on a coordinator of its own; exit code 1 when anything is not right."""
    argparse.ArgumentParser(
        prog="script/demo collab",
        description="Run leased jobs on four workers and a coordinator of their own: one job asked "
        "for twice, one worker killed at work, one dead letter replayed, one file signed and "
        "fetched, while a socket and a stream listen; then check everything.",
    ).parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    # Just started, a coordinator gives agents time to be heard again: no lease ends meanwhile.
    settings = {"COORDINATOR_TASK_REAPER_SECONDS": "2", "COORDINATOR_GRACE_SECONDS": "1"}
    try:
        with (
            server.fresh(**settings) as url,
            tempfile.TemporaryDirectory(prefix="coordinator-demo-") as top,
        ):
            return _run(console, Collab(url, Path(top)))
    except (
        server.NoCoordinator,
        CoordinatorUnreachable,
        RequestRefused,
        CollabFailed,
        OSError,
    ) as problem:
        console.print(f"The demonstration failed: {problem}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


@contextmanager
def _listening(collab: Collab) -> Iterator[Ears]:
    """Four workers at work, and both listeners; what runs is stopped in the end."""
    try:
        for name in WORKERS:
            collab.start(name)
        collab.until(lambda: _active(collab) == set(WORKERS), "all workers are active")
        ears = Ears(collab.url, WORKERS)
        ears.start()
        yield ears
        ears.stop()
    finally:
        collab.stop()


def _active(collab: Collab) -> set[str]:
    items = rows(collab.wire.get("/api/collab/workers/active"), "items")
    return {text(worker, "agent_id") for worker in items}


def _run(console: Console, collab: Collab) -> int:
    found: dict[str, bool] = {}
    with _listening(collab) as ears:
        before = collab.metrics()
        console.print(f"{len(WORKERS)} workers; {SUMS} sums and four jobs with a story.")
        lost, broken = collab.folder / "lost", collab.folder / "repaired"
        collab.assign("is lost", do="be lost", mark=str(lost))
        collab.until(lost.exists, "the job that is to lose its worker has begun")
        for number in range(SUMS):
            collab.assign(f"sum {number}", numbers=list(range(number + 1)))
        again = collab.assign("sum 0", numbers=[0])
        found["A key used twice made one job"] = not again[1]
        collab.assign("tries twice", do="fail once")
        collab.assign("is repaired", do="fail until repaired", mark=str(broken))
        collab.assign("makes a file", do="make a file")

        killed = _kill_worker_of(collab, "is lost")
        console.print(f"{killed} was killed at work.")
        took = collab.until(
            lambda: _owner(collab, "is lost") != killed, "the lost job is back", BACK_WITHIN
        )
        console.print(f"Its job was back after {took:.1f} s, with a lease of {LEASE} s.")
        found[f"The lost job came back within {BACK_WITHIN:.0f} s"] = took <= BACK_WITHIN

        collab.until(lambda: collab.status("is repaired") == "dead_lettered", "one job is dead")
        broken.touch()
        found |= _replayed(collab)
        names = [name for name in collab.jobs if name != "is repaired"]
        collab.until(lambda: all(collab.status(name) in ENDED for name in names), "all jobs end")
        found |= _file(collab)
        found |= _judged(collab, ears, before, killed)
    console.print(table(collab, ears))
    console.print(checks(found))
    complaints = [name for name, fine in found.items() if not fine]
    for complaint in [*complaints, *ears.heard.errors]:
        console.print(f"Not right: {complaint}", style="red", markup=False)
    return 1 if complaints else 0


def _owner(collab: Collab, name: str) -> str:
    """Who holds or has held the job, as long as it is not free."""
    return text(collab.job(name), "worker_id")


def _kill_worker_of(collab: Collab, name: str) -> str:
    owner = _owner(collab, name)
    os.kill(collab.workers[owner].pid, signal.SIGKILL)
    collab.workers[owner].wait()
    return owner


def _replayed(collab: Collab) -> dict[str, bool]:
    """Replay the dead letter; a second time it is refused."""
    [letter] = rows(collab.wire.get("/functions/v1/dlq-list"), "items")
    wanted: Body = {"dlqId": letter["id"]}
    collab.jobs["replayed"] = text(collab.wire.post("/functions/v1/dlq-retry", wanted), "jobId")
    refused = False
    try:
        collab.wire.post("/functions/v1/dlq-retry", wanted)
    except RequestRefused as problem:
        refused = problem.status == 409
    reason = (text(letter, "reason_code"), text(letter, "stage"))
    return {
        "The dead letter says why": reason == ("validation_failed", "input"),
        "It is replayed once": refused and text(letter, "job_id") == collab.jobs["is repaired"],
    }


def _file(collab: Collab) -> dict[str, bool]:
    """Fetch the file by a signed URL, without a credential, and with a wrong signature."""
    job = collab.job("makes a file")
    path = f"{job['id']}/{REPORT}"
    query = urlencode({"bucket": "artifacts", "path": path, "expires": 120})
    url = text(collab.wire.get(f"/functions/v1/sign-artifact?{query}"), "url")
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
        digest = hashlib.sha256(answer.read()).hexdigest()
    listed = rows(collab.wire.get("/functions/v1/artifacts-list", jobId=str(job["id"])), "items")
    said = text(inner(inner(job, "result"), "result"), "sha256")
    return {
        "The signed file came back as it was": [digest] == [text(one, "sha256") for one in listed]
        and digest == said,
        "A wrong signature is refused": _refuses(url[:-4] + "AAAA"),
    }


def _refuses(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20):  # noqa: S310
            return False
    except urllib.request.HTTPError as refused:
        return refused.code == 403


def _judged(collab: Collab, ears: Ears, before: dict[str, float], killed: str) -> dict[str, bool]:
    """Recount all that happened, once the listeners had time to hear of it."""
    jobs = verdict.jobs_of(collab.wire)
    events = verdict.events_of(collab.wire, jobs)
    heard = ears.heard
    heard_all = _soon(lambda: verdict.heard_right(heard, events))
    streamed = _soon(lambda: verdict.streamed_right(heard, events))
    alive = [name for name in WORKERS if name != killed]
    statuses = {name: collab.status(name) for name in collab.jobs}
    once = [
        verdict.names_of(found).count("succeeded") == 1
        for job_id, found in events.items()
        if job_id != collab.jobs["is repaired"]
    ]
    sums = [
        inner(inner(collab.job(f"sum {number}"), "result"), "result").get("sum")
        for number in range(SUMS)
    ]
    counted: dict[str, bool] = {}

    def agrees() -> bool:
        counted.update(verdict.counted_right(before, collab.metrics(), events))
        return all(counted.values())

    _soon(agrees)
    return {
        "Every job ended as it had to": statuses.pop("is repaired") == "dead_lettered"
        and set(statuses.values()) == {"succeeded"},
        "No job ended twice": all(once) and len(jobs) == len(collab.jobs),
        "The sums are right": sums == [sum(range(number + 1)) for number in range(SUMS)],
        "The socket heard every event in order, across a break": heard_all and heard.breaks == 1,
        "The stream brought every event once and in order": streamed,
        "No worker was absent for 15 s": verdict.present_right(heard, alive),
        "Nothing was refused to the listeners": not heard.errors,
        **{f"{counter} as recounted": fine for counter, fine in counted.items()},
        "metrics/overview as recounted": verdict.overview_right(collab.wire, jobs),
    }


def _soon(holds: Callable[[], bool], within: float = 10.0) -> bool:
    until = time.monotonic() + within
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY)
    return True


def table(collab: Collab, ears: Ears) -> Table:
    heard = ears.heard
    longest: Sequence[float] = [gaps(times) for times in heard.present.values()]
    shown = Table("What", "Came out", title="Coordinator: collaborating workers", min_width=60)
    shown.add_row("Jobs", str(len(collab.jobs)))
    shown.add_row("Workers", f"{len(WORKERS)} processes, 1 killed")
    shown.add_row("Broadcasts", f"{len(heard.envelopes)}, {heard.twice} of them twice")
    shown.add_row("Events of the stream", str(len(heard.rows)))
    shown.add_row("Presences", str(sum(map(len, heard.present.values()))))
    shown.add_row("Longest time between two", f"{max(longest, default=0.0):.1f} s")
    return shown
