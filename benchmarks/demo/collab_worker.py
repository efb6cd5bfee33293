"""`python -m benchmarks.demo.collab_worker URL EXECUTOR ID`: one worker of `script/demo collab`.

It says every few seconds that it lives, claims jobs, says how far it is, renews its lease, sends a
file where a job wants one, and reports. It runs until it is told to stop.
"""

import hashlib
import os
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path

from benchmarks.demo.wire import Body, RequestRefused, Wire, inner, text

LEASE = 15  # seconds, the least that may be asked for
BEAT_EVERY = 5.0
LOOK_EVERY = 0.1
STEPS = 3
REPORT = "report.bin"
FILE_BYTES = 200_000
LONG = 600.0  # seconds of an attempt that is to be lost


class CollabWorker:
    def __init__(self, url: str, executor: str, name: str) -> None:
        self.url = url
        self.executor = executor
        self.name = name
        self.wire = Wire(url)
        self.stopping = threading.Event()
        self.running = 0

    def beat(self) -> None:
        """Heartbeats, in a thread and on a connection of their own."""
        wire = Wire(self.url)
        while not self.stopping.is_set():
            wire.post(
                "/api/collab/workers/heartbeat",
                {
                    "agentId": self.name,
                    "executorId": self.executor,
                    "status": "busy" if self.running else "idle",
                    "running": self.running,
                    "capacity": 1,
                    "version": "demo",
                },
            )
            self.stopping.wait(BEAT_EVERY)

    def work(self) -> None:
        while not self.stopping.is_set():
            wanted: Body = {
                "executorId": self.executor,
                "workerId": self.name,
                "leaseSeconds": LEASE,
            }
            job = inner(self.wire.post("/api/collab/task.claim", wanted), "job")
            if not job:
                self.stopping.wait(LOOK_EVERY)
                continue
            self.running = 1
            try:
                self._run(job)
            except RequestRefused as refused:
                sys.stderr.write(f"{self.name}: {refused}\n")
            self.running = 0

    def _run(self, job: Body) -> None:
        held: Body = {
            "jobId": job["id"],
            "workerId": self.name,
            "leaseToken": job["lease_token"],
        }
        self.wire.post("/api/collab/task.start", held)
        payload = inner(job, "payload")
        if text(payload, "do") == "be lost":
            self._be_lost(held, Path(text(payload, "mark")))
        for step in range(1, STEPS + 1):
            time.sleep(0.05)
            pct = step * 100 // STEPS
            self.wire.post(
                "/api/collab/task.progress", {**held, "pct": pct, "detail": {"step": step}}
            )
        self.wire.post("/api/collab/task.renew", held)
        self.wire.post("/api/collab/task.result", {**held, "type": job["type"], **self._end(job)})

    def _be_lost(self, held: Body, mark: Path) -> None:
        """The first attempt goes on and on, with its lease renewed at half; others end."""
        if mark.exists():
            return
        mark.write_text(self.name)
        until = time.monotonic() + LONG
        while time.monotonic() < until and not self.stopping.wait(LEASE / 2):
            self.wire.post("/api/collab/task.renew", held)

    def _end(self, job: Body) -> Body:
        """What came of a job."""
        payload = inner(job, "payload")
        match text(payload, "do"):
            case "fail until repaired" if not Path(text(payload, "mark")).exists():
                why: Body = {"error": "The input is not valid.", "retryable": False}
                return {"ok": False, **why, "reason": "validation_failed", "stage": "input"}
            case "make a file":
                return {"ok": True, "result": {"sha256": self._send_file(job)}}
            case "fail once" if job["attempts"] == 1:
                return {"ok": False, "error": "Try again."}
        numbers = payload.get("numbers")
        found = numbers if isinstance(numbers, list) else []
        return {"ok": True, "result": {"sum": sum(one for one in found if isinstance(one, int))}}

    def _send_file(self, job: Body) -> str:
        content = os.urandom(FILE_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        place = f"/v1/tasks/{job['id']}/artifacts/{REPORT}"
        query = f"agent_id={self.name}&lease_epoch={job['lease_token']}"
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{place}?{query}",
            content,
            {"X-Content-SHA256": digest, "Content-Type": "application/octet-stream"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            return digest


def main() -> None:
    worker = CollabWorker(*sys.argv[1:4])
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    beating = threading.Thread(target=worker.beat, daemon=True)
    beating.start()
    worker.work()


if __name__ == "__main__":
    main()
