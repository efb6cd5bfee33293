"""A real runner and an agent that claims beside it, on one coordinator."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson
import psycopg

from benchmarks import machine, over_http, queue
from benchmarks.coordinator import OURS, Coordinator, CoordinatorFailed
from benchmarks.over_http import Connection, claim_request, claimed, request
from benchmarks.results import percentile
from coordinator_project.env import BASE_DIR

CLIENT = [sys.executable, "-m", "coordinator_client.commands"]
QUEUE, AGENT = "bench-objects", "bench-claims"
PAUSE = 0.02  # seconds between two claims
TASKS = 50_000
WITHIN = 1800.0  # seconds for a command
LOOK_EVERY = 0.05


@dataclass
class Claims:
    """How long each claim of the other agent took, in milliseconds."""

    times: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.times)
        return f"{median(ordered):.1f} / {percentile(ordered, 0.95):.1f} ms"

    def ratio(self, alone: "Claims") -> float:
        return median(self.times) / median(alone.times)


class Bench:
    """A runner and an agent that claims, on one coordinator; `folder` is the runner's."""

    def __init__(self, folder: Path, coordinator: Coordinator, db: psycopg.Connection) -> None:
        self.folder = folder
        self.coordinator = coordinator
        folder.mkdir()
        channel = coordinator.open_channel(queue.CHANNEL)
        queued_at = queue.queue_at(TASKS)
        queue.insert(db, TASKS, channel_id=f"'{channel}'::uuid", queue_at=queued_at)
        db.execute("VACUUM (ANALYZE) tasks_task")

    @property
    def environment(self) -> dict[str, str]:
        others = {name: v for name, v in os.environ.items() if not name.startswith(OURS)}
        return others | {
            "COORDINATOR_URL": f"http://127.0.0.1:{self.coordinator.port}",
            "PYTHONPATH": str(BASE_DIR / "client"),
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    @contextmanager
    def runner(self) -> Iterator[int]:
        """A runner's process id; it is ended with the block."""
        words = [*CLIENT, "agent", "run", "--queue", QUEUE, "--agent-id", "bench-runner"]
        with (self.folder / "runner.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def submit(self, command: str) -> str:
        body = {"name": "bench", "source_type": "none", "queue_name": QUEUE}
        made = self.coordinator.post("/api/v1/jobs", body | {"job_command": command})
        job_id: str = orjson.loads(made)["job_id"]
        return job_id

    def ended(self, job_id: str) -> None:
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:
            job = orjson.loads(self.coordinator.get(f"/api/v1/jobs/{job_id}"))
            if job["status"] == "completed":
                return
            if job["status"] not in {"queued", "running"}:
                raise CoordinatorFailed(f"The command is {job['status']}: {job['last_error']}")
            time.sleep(LOOK_EVERY)
        raise CoordinatorFailed("The command does not end.")

    def fetch(self, job_id: str) -> float:
        """Fetch its file by the command line; the most memory that took."""
        words = [*CLIENT, "job", "artifacts", job_id, "--download", str(self.folder)]
        peak = 0.0
        with subprocess.Popen(  # noqa: S603
            words, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as client:
            while client.poll() is None:
                peak = max(peak, machine.peak_megabytes(client.pid))
                time.sleep(LOOK_EVERY)
        if client.returncode:
            raise CoordinatorFailed("The file cannot be fetched.")
        return peak

    def server_megabytes(self) -> float:
        return machine.peak_megabytes(self.coordinator.server, [self.coordinator.postgres])

    def alone(self, seconds: float) -> Claims:
        """The claims of the other agent while nothing else happens."""
        with self.claiming():
            time.sleep(min(seconds, 1.0))  # caches and connections to the database are ready
        with self.claiming() as claims:
            time.sleep(seconds)
        return claims

    @contextmanager
    def claiming(self) -> Iterator[Claims]:
        """An agent claims and completes all the time, with pauses, until the block ends."""
        claims, over = Claims(), threading.Event()
        failures: list[Exception] = []

        def claim() -> None:
            try:
                with closing(Connection(self.coordinator.port)) as connection:
                    while not over.is_set():
                        claims.times.append(_claim_one(connection))
                        over.wait(PAUSE)
            except (OSError, CoordinatorFailed, ValueError) as failure:
                failures.append(failure)

        claiming = in_thread(claim)
        try:
            yield claims
        finally:
            over.set()
            claiming.join()
        if failures or not claims.times:
            raise CoordinatorFailed(f"The other agent cannot claim: {failures}")


def _claim_one(connection: Connection) -> float:
    """The milliseconds of a claim, whose task is then completed."""
    started = time.perf_counter()
    [task] = claimed(connection.ask(claim_request(AGENT)), 1)
    took = (time.perf_counter() - started) * 1000
    outcome = {"task_id": task.task_id, "agent_id": AGENT, "lease_epoch": task.epoch}
    connection.ask(request(over_http.COMPLETE, orjson.dumps(outcome)))
    return took


def in_thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread
