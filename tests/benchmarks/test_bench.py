import subprocess
import sys

import pytest

from benchmarks.results import PAIRS
from coordinator_project.env import BASE_DIR


@pytest.mark.timeout(300)
def test_the_benchmark_measures_everything_once_and_briefly():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", "--quick", "--markdown"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for pair in PAIRS:
        assert f"| {pair.name}" in done.stdout
    for claim in ("the fast way, over HTTP", "the slow way: the owner of a chain"):
        assert f"| {claim}" in done.stdout
    for found in (
        "16 claimers, batch 5",
        "16 complete tasks of one job",
        "a job of 1,000 tasks is made",
        "health, 400 tasks pending",
        "1 task, 400 pending",
        "5 tasks, 400 ahead for nobody",
        "20 idle, memory of the server",
        "10 open, tasks worked",
        "- lost, of",
        "claims at full speed, none open",
    ):
        assert f"| {found}" in done.stdout
    assert "PostgreSQL 18" in done.stdout
