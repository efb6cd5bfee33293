import os
import signal
import time
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.coordinator_project.running import running
from tests.demo.demo import demonstration

LONG_ENOUGH = ("--files", "1200", "--pause", "0.01")  # some seconds of work, to be killed in


def assert_all_is_right(demo):
    assert demo.end() == 0, demo.output
    assert demo.row("Tasks").startswith("1236: 1200 files")
    for check in ("Results as by hashlib", "Nothing done twice", "Chain order"):
        assert demo.row(check) == "ok"
    # Nothing waited for the end of its lease, so each agent found again what it held.
    assert demo.row("Tasks taken back") == "0"


def kill_all(coordinator):
    """SIGKILL for the coordinator and all it started, its database with them."""
    family = [psutil.Process(coordinator.process.pid), *coordinator.family()]
    assert any(process.name() == "postgres" for process in family)
    for process in family:
        with suppress(psutil.NoSuchProcess):  # an earlier one may take it along
            process.kill()


def kill_parent(coordinator):
    os.kill(coordinator.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_all, kill_parent])
def test_a_killed_coordinator_starts_at_once_and_the_work_ends_right(folder, kill):
    with ExitStack() as open_:
        coordinator = open_.enter_context(running(folder)).ready()
        demo = open_.enter_context(demonstration(*LONG_ENOUGH, COORDINATOR_URL=coordinator.url))
        port = coordinator.url.rpartition(":")[2]
        for part in (0.3, 0.6):
            demo.wait_until_done(part)
            kill(coordinator)
            coordinator.end()

            started = time.monotonic()
            coordinator = open_.enter_context(running(folder, COORDINATOR_PORT=port)).ready()

            assert time.monotonic() - started < 10
        assert_all_is_right(demo)
        assert int(demo.row("Requests sent again")) > 0


def test_an_agent_that_is_killed_goes_on_under_its_name(folder):
    with (
        running(folder) as coordinator,
        demonstration(*LONG_ENOUGH, COORDINATOR_URL=coordinator.ready().url) as demo,
    ):
        killed = 0
        for part in (0.3, 0.6):
            demo.wait_until_done(part)
            for agent in demo.agents():
                agent.kill()
                killed += 1

        assert_all_is_right(demo)
    assert demo.row("Agents") == f"4 processes, {killed} killed"
