"""One run of the whole benchmark, as short as it can be."""

import subprocess
import sys

import pytest

from coordinator_project.env import BASE_DIR

ROWS = [
    "two requests a cycle",
    "one report a cycle",
    "report, batches of 10",
    "report, batches of 50",
    "claim and completion in SQL",
    "- of its whole life",
    "- times slower",
    "two channels",
    "20 agents wait, 20 tasks a second, median",
    "200 agents wait, 50 tasks a second, median",
    "one channel, over HTTP",
    "the owner of a chain",
    "16 claimers, batch 5",
    "16 complete tasks of one job",
    "a job of 1,000 tasks is made",
    "health, 400 tasks pending",
    "5 tasks, 400 before it for nobody",
    "20 idle, memory of the server",
    "- lost, of",
    "claims at full speed, none open",
    "- longest task of the browser",
    "heartbeat, median",
    "health beside them, at most",
    "lines followed, by SHA-256 10,000 of 10,000 all met",
    "what was fetched, by SHA-256 the same the same met",
    "50 files have changed",
    "search of code, some of each",
]


@pytest.mark.timeout(600)
def test_the_benchmark_measures_everything_once_and_briefly():
    bench = [sys.executable, "-m", "benchmarks.bench", "--quick", "--markdown"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(bench, cwd=BASE_DIR, text=True, **pipes) as running:
        try:
            output, errors = running.communicate()
        finally:
            running.terminate()  # not killed, so that it stops its coordinators
            running.wait()

    assert (running.returncode, errors) == (0, ""), output + errors
    found = [" ".join(line.replace("|", " ").split()) for line in output.splitlines()]
    assert [row for row in ROWS if not any(line.startswith(row) for line in found)] == []
