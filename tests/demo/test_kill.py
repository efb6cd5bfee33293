import os
import signal
import time
from contextlib import suppress

import psutil
import pytest

from tests.coordinator_project.running import running
from tests.demo.demo import demonstration

LONG_ENOUGH = ("--files", "600", "--pause", "0.02")  # some seconds of work, to be killed in


def assert_all_is_right(demo):
    assert demo.end() == 0, demo.said
    assert demo.row("Tasks").startswith("636: 600 files")
    for check in ("Results as by hashlib", "Nothing done twice", "Chain order"):
        assert demo.row(check) == "ok"


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
    with (
        running(folder) as coordinator,
        demonstration(*LONG_ENOUGH, COORDINATOR_URL=coordinator.ready().url) as demo,
    ):
        demo.wait_until_in_the_middle()

        kill(coordinator)
        coordinator.end()
        started = time.monotonic()
        with running(folder, COORDINATOR_PORT=coordinator.url.rpartition(":")[2]) as again:
            again.ready()
            took = time.monotonic() - started

            assert_all_is_right(demo)
    assert took < 10
    assert int(demo.row("Requests sent again")) > 0


def test_an_agent_that_is_killed_goes_on_under_its_name(folder):
    with (
        running(folder) as coordinator,
        demonstration(*LONG_ENOUGH, COORDINATOR_URL=coordinator.ready().url) as demo,
    ):
        demo.wait_until_in_the_middle()

        for agent in demo.agents():
            agent.kill()

        assert_all_is_right(demo)
    assert demo.row("Agents") == "4 processes, 4 killed"
