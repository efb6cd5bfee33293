"""Logs: whole while the coordinator answers, bounded and honest while it does not."""

import os
import re
import shlex
import subprocess
import sys
import time

import pytest

from coordinator_client import Coordinator
from coordinator_client.runner import log, spool
from tests.client.gateway import gateway
from tests.client.runners import bench
from tests.coordinator_project.running import eventually


@pytest.fixture
def own(coordinator):
    """A gateway that the test may break."""
    with gateway(coordinator) as found:
        yield found


def test_lines_come_within_a_second(own):
    with bench(own) as runner:
        job = runner.submit("echo begun; sleep 3")
        eventually(lambda: runner.client.job(job.job_id).status == "running")
        began = time.monotonic()
        runner.begun(job)

        assert time.monotonic() - began < 2.5
        assert runner.ended(job).status == "completed"


def test_a_line_that_waits_for_an_answer_is_shown(own):
    with bench(own) as runner:
        job = runner.submit("printf 'Password: '; sleep 8; echo given")

        assert runner.begun(job, "Password: ")
        runner.client.cancel_job(job.job_id)
        runner.ended(job)


def test_a_batch_whose_answer_was_lost_is_sent_again_as_it_was(own):
    own.lose_answers = 2
    with bench(own) as runner:
        job, lines = runner.do("for i in 1 2 3; do echo $i; sleep 1.1; done")

    assert (job.status, lines) == ("completed", ["1", "2", "3"])


def test_many_lines_and_long_ones_are_all_there(own):
    program = "print('x' * 1_000_000); [print(i) for i in range(50_000)]"
    with bench(own) as runner:
        job, lines = runner.do(f'{shlex.quote(sys.executable)} -c "{program}"')

    assert job.status == "completed"
    numbers = lines.index("0")
    assert "".join(lines[:numbers]) == "x" * 1_000_000
    assert lines[numbers:] == [str(n) for n in range(50_000)]


def test_a_slow_coordinator_slows_the_command_and_loses_nothing(own):
    own.slow = 0.05
    with bench(own) as runner:
        job, lines = runner.do("seq 100000", within=60)

    assert job.status == "completed"
    assert lines == [str(n) for n in range(1, 100_001)]


def test_while_it_is_away_lines_wait_on_disk(own, monkeypatch):
    monkeypatch.setattr(log, "AWAY_SECONDS", 0.2)
    own.logs_down = True
    with bench(own) as runner:
        job = runner.submit("echo begun; seq 200000; echo written >&2; sleep 4")
        eventually(lambda: runner.client.job(job.job_id).status == "running")
        eventually(lambda: spooled(runner) > 1_000_000, 20)
        own.logs_down = False

        assert runner.ended(job, 60).status == "completed"
    assert own.lines(job.task_id) == ["begun", *(str(n) for n in range(1, 200_001))]


def spooled(runner):
    return sum(path.stat().st_size for path in runner.runner.workspaces.glob("*/*.spool"))


def test_what_does_not_fit_is_dropped_and_a_line_says_how_many(own, monkeypatch):
    monkeypatch.setattr(log, "AWAY_SECONDS", 0.2)
    monkeypatch.setattr(spool, "LIMIT", 1_000_000)
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (1_000_000,))
    own.logs_down = True
    with bench(own) as runner:
        job = runner.submit('seq 100000; touch "$COORDINATOR_ARTIFACTS/x"; sleep 2; echo last')
        eventually(lambda: list(runner.runner.workspaces.glob("*/artifacts/x")), 20)
        own.logs_down = False

        assert runner.ended(job, 60).status == "completed"
    lines = own.lines(job.task_id)
    (marker,) = [line for line in lines if "were dropped" in line]
    dropped = int(re.match(r"(\d+) lines were dropped", marker)[1])
    before, after = lines[: lines.index(marker)], lines[lines.index(marker) + 1 : -1]
    assert before == [str(n) for n in range(1, len(before) + 1)]
    assert after == [str(n) for n in range(len(before) + dropped + 1, 100_001)]
    assert lines[-1] == "last"


def test_the_log_of_a_lost_lease_ends(own):
    with bench(own) as runner:
        job = runner.submit("while :; do echo x; sleep 0.01; done")
        eventually(lambda: own.lines(job.task_id))
        runner.client.kill_job(job.job_id)

        eventually(lambda: not runner.runner.agent.current())


PROGRAM = """
import sys
from coordinator_client.runner import Runner
runner = Runner([sys.argv[1]], heartbeat_seconds=1)
runner.agent.wait_seconds = 1
runner.run()
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0])
"""


def test_a_hundred_megabytes_of_log_need_little_memory_and_are_all_there(own):
    own.keeps = True  # what is measured is the runner
    queue = "large"
    environment = os.environ | {"COORDINATOR_URL": own.url, "PYTHONPATH": "client"}
    with (
        Coordinator(own.url) as client,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, queue],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        job = client.submit_job("large", f"yes {'x' * 99} | head -n 1000000", queue_name=queue)
        began = time.monotonic()
        eventually(lambda: client.job(job.job_id).has_ended, 100)
        print(f"{time.monotonic() - began:.1f} s")  # noqa: T201
        process.terminate()
        memory = int(process.stdout.read()) * 1024
        assert client.job(job.job_id).status == "completed"

    print(f"{memory / 1e6:.1f} MB")  # noqa: T201
    assert own.lines(job.task_id) == ["x" * 99] * 1_000_000
    assert memory < 100_000_000
