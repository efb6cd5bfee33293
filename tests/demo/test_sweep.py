"""The sweep, as a person runs it."""

import signal

import psutil
import pytest

from tests.coordinator_project.running import ask_each, gone
from tests.demo.demo import demonstration


@pytest.mark.timeout(240)
def test_every_task_is_done_once_though_a_worker_dies_in_the_middle(folder):
    # What the shell is set to is not for the coordinator of the demonstration.
    elsewhere = {"COORDINATOR_DATA_DIR": str(folder), "COORDINATOR_DATABASE_URL": "postgres://no"}
    with demonstration("sweep", COORDINATOR_AUTH_TOKEN="not this one", **elsewhere) as demo:
        demo.wait_for("was killed at work; spot-5 takes its place", within=120)
        family = psutil.Process(demo.process.pid).children(recursive=True)

        assert demo.end(within=120) == 0, demo.output
        assert gone(family)
    assert demo.row("Tasks") == "180 done, 0 failed"
    assert demo.row("Workers").startswith("5; spot-")
    assert int(demo.row("Tasks taken back")) >= 1
    for check in (
        "Counters",
        "One result for each point",
        "Nothing done twice",
        "Done by others after a death",
        "As worked out here; PSO < 0.001",
    ):
        assert demo.row(check) == "ok"
    assert not list(folder.glob("postgres*"))


def test_a_signal_in_the_middle_stops_all_that_it_started():
    with demonstration("sweep") as demo:
        demo.wait_until_done(0.1)
        family = psutil.Process(demo.process.pid).children(recursive=True)
        lines = [" ".join(line) for line in ask_each(family, psutil.Process.cmdline)]
        assert sum("optimizer_worker.py" in line for line in lines) == 4

        demo.process.send_signal(signal.SIGTERM)

        assert demo.end(within=40) == 128 + signal.SIGTERM
        assert gone(family)
        assert "Traceback" not in demo.output


def test_a_worker_that_ends_by_itself_ends_the_demonstration():
    with demonstration("sweep") as demo:
        demo.wait_until_done(0.05)
        family = psutil.Process(demo.process.pid).children(recursive=True)
        worker = next(one for one in family if "optimizer_worker.py" in " ".join(one.cmdline()))
        worker.terminate()

        assert demo.end(within=60) == 1
    assert "ended with exit code 0" in demo.output
