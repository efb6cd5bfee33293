"""The log and the file of a command, through a real runner, while another agent claims."""

import hashlib
import http.client
import shlex
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks import machine
from benchmarks.coordinator import Coordinator
from benchmarks.objects.runner import WITHIN, Bench, Claims, in_thread
from benchmarks.results import Finding, Section, finding_heads
from benchmarks.run import Run

LINE = 100  # bytes, with its end
MB, MIB = 1_000_000, 1024 * 1024
LATE, CLIENTS, SERVER, CLAIMS = 2.0, 100.0, 50.0, 1.5  # the targets: seconds, MiB, MiB, times

WRITES_LINES = """
import sys, time
out = sys.stdout
for n in range({lines}):
    out.write(f"{{n:09}} {{'x' * 89}}\\n")
out.write(f"ended {{time.time()}}\\n")
"""
WRITES_A_FILE = """
import hashlib, os
piece, digest = os.urandom(1024 * 1024), hashlib.sha256()
with open(os.environ["COORDINATOR_ARTIFACTS"] + "/large", "wb") as file:
    for _ in range({mib}):
        file.write(piece)
        digest.update(piece)
print(digest.hexdigest())
"""


@dataclass
class Follower:
    """What came of a log by server-sent events, and when its end did."""

    lines: int = 0
    digest: str = ""
    late: float = float("inf")

    def read(self, coordinator: Coordinator, job_id: str) -> None:
        digest, at = hashlib.sha256(), 0.0
        connection = http.client.HTTPConnection("127.0.0.1", coordinator.port, timeout=WITHIN)
        with closing(connection):
            path = f"/api/v1/jobs/{job_id}/logs?stream=stdout&follow=1"
            connection.request("GET", path)
            for raw in connection.getresponse():
                if not raw.startswith(b'data: {"'):
                    continue
                message: str = orjson.loads(raw[6:])["message"]
                if message.startswith("ended "):
                    at, self.late = time.time(), time.time() - float(message.split()[1])
                    continue
                self.lines += 1
                digest.update(f"{message}\n".encode())
        self.digest = digest.hexdigest() if at else ""


def measure_logs(run: Run) -> list[Section]:
    """A log that is written at full speed, and followed."""
    megabytes = 1 if run.quick else run.log_megabytes
    lines = megabytes * MB // LINE
    with run.coordinator("logs") as (coordinator, db):
        bench = Bench(run.folder / "runner", coordinator, db)
        with bench.runner() as runner:
            alone, before = bench.alone(run.seconds), bench.server_megabytes()
            follower = Follower()
            with bench.claiming() as beside:
                started = time.monotonic()
                job_id = bench.submit(script(WRITES_LINES, lines=lines))
                following = in_thread(lambda: follower.read(coordinator, job_id))
                bench.ended(job_id)
                took = time.monotonic() - started
                following.join(WITHIN)
            grown = bench.server_megabytes() - before
            peak = machine.peak_megabytes(runner)
    expected = hashlib.sha256()
    for n in range(lines):
        expected.update(f"{n:09} {'x' * 89}\n".encode())
    is_same = follower.digest == expected.hexdigest()
    findings = [
        Finding("claims alone, median / p95", str(alone)),
        Finding("- beside it", str(beside)),
        Finding("it took", f"{took:.0f} s"),
        Finding(
            "lines followed, by SHA-256", f"{follower.lines:,} of {lines:,}", "all", not is_same
        ),
        Finding(
            "its last line came after it was written",
            f"{follower.late:.1f} s",
            f"≤ {LATE:.0f} s",
            follower.late > LATE,
        ),
        _memory("most memory of the runner", peak),
        _growth(grown),
    ]
    return [Section(finding_heads(f"a log of {megabytes} MB"), findings)]


def measure_files(run: Run) -> list[Section]:
    """A file that the runner sends, and the command line fetches."""
    mib = 8 if run.quick else run.file_mebibytes
    with run.coordinator("files") as (coordinator, db):
        bench = Bench(run.folder / "runner-of-files", coordinator, db)
        with bench.runner() as runner:
            alone, before = bench.alone(run.seconds), bench.server_megabytes()
            with bench.claiming() as sending:
                job_id = bench.submit(script(WRITES_A_FILE, mib=mib))
                bench.ended(job_id)
            of_runner = machine.peak_megabytes(runner)
            with bench.claiming() as fetching:
                started = time.monotonic()
                of_client = bench.fetch(job_id)
                took = time.monotonic() - started
            grown = bench.server_megabytes() - before
        written = coordinator.get(f"/api/v1/jobs/{job_id}/logs?format=text&limit=1").decode()
        is_same = sha256(bench.folder / "large") == written.strip()
    findings = [
        Finding("claims alone, median / p95", str(alone)),
        _claims("- while it is sent", sending, alone),
        _claims("- while it is fetched", fetching, alone),
        Finding("it was fetched in", f"{took:.1f} s"),
        Finding(
            "what was fetched, by SHA-256",
            "the same" if is_same else "another",
            "the same",
            not is_same,
        ),
        _growth(grown),
        _memory("most memory of the runner", of_runner),
        _memory("- of the command line", of_client),
    ]
    return [Section(finding_heads(f"a file of {mib} MiB"), findings)]


def _memory(name: str, peak: float) -> Finding:
    return Finding(name, f"{peak:.0f} MiB", "< 100 MiB", peak >= CLIENTS)


def _growth(grown: float) -> Finding:
    return Finding("growth of the largest process", f"{grown:.0f} MiB", "< 50 MiB", grown >= SERVER)


def _claims(name: str, beside: Claims, alone: Claims) -> Finding:
    return Finding(name, str(beside), "≤ 1.5 times", beside.ratio(alone) > CLAIMS)


def script(program: str, **values: int) -> str:
    """A command that runs this program of Python."""
    return shlex.join([sys.executable, "-c", program.format(**values)])


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()
