"""One run of each demonstration, as a person runs it; both check all that was done."""

import re
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from benchmarks.demo import sweep_verdict, verdict
from benchmarks.demo.work import File, Plan
from tests.coordinator_project.conftest import copied
from tests.coordinator_project.running import Program, eventually, gone, running, surroundings


class Demo(Program):
    """One `python -m benchmarks.demo`."""

    def __init__(self, *arguments, **more):
        super().__init__("-m", "benchmarks.demo", *arguments, env=surroundings() | more)

    def wait_for(self, pattern):
        eventually(lambda: re.search(pattern, self.output) or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.output

    def end(self):
        code = self.process.wait(120)
        self.reader.join(5)
        return code

    def row(self, name):
        """The value beside `name` in the table at the end."""
        found = re.search(rf"│ {re.escape(name)}[^│]*│ (.*?) *│", self.output)
        assert found, self.output
        return found[1]


@contextmanager
def demonstration(*arguments, **more):
    demo = Demo(*arguments, **more)
    try:
        yield demo
    finally:
        demo.process.terminate()
        demo.end()


def kill(processes):
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # an earlier one may take it along
            process.kill()


@pytest.mark.timeout(240)
def test_all_work_is_done_once_though_agents_and_the_coordinator_are_killed(used_folder):
    with ExitStack() as stack:
        secret = {"COORDINATOR_AUTH_TOKEN": "open sesame"}
        coordinator = stack.enter_context(running(used_folder, **secret)).ready()
        url, port = coordinator.url, coordinator.url.rpartition(":")[2]
        arguments = ("--files", "600", "--pause", "0.01")
        demo = stack.enter_context(demonstration(*arguments, COORDINATOR_URL=url, **secret))

        demo.wait_for(r"\n2\d\d of 636 tasks done")
        kill([psutil.Process(coordinator.process.pid), *coordinator.family()])
        coordinator.end()
        again = running(used_folder, COORDINATOR_PORT=port, **secret)
        stack.enter_context(again).ready()
        demo.wait_for(r"\n[45]\d\d of 636 tasks done")
        agents = [
            child
            for child in psutil.Process(demo.process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
        kill(agents)

        assert demo.end() == 0, demo.output
    assert demo.row("Agents") == "4 processes, 4 killed"
    assert int(demo.row("Requests sent again")) > 0
    # Nothing waited for the end of its lease, so each agent found again what it held.
    assert demo.row("Tasks taken back") == "0"
    for check in ("Results as by hashlib", "Nothing done twice", "Chain order"):
        assert demo.row(check) == "ok"


@pytest.fixture
def data(first_run, folder):
    """A data folder that a demonstration finds set up."""
    folder.mkdir(mode=0o711)
    copied(first_run, folder / "demo")
    return {"COORDINATOR_DATA_DIR": str(folder)}


@pytest.mark.timeout(240)
def test_every_task_of_a_sweep_is_done_once_though_a_worker_is_killed(data):
    # The demonstration's coordinator ignores the settings of the shell.
    settings = data | {"COORDINATOR_DATABASE_URL": "postgres://no"}
    with demonstration("sweep", COORDINATOR_AUTH_TOKEN="not this one", **settings) as demo:
        demo.wait_for("was killed at work; spot-5 takes its place")
        family = psutil.Process(demo.process.pid).children(recursive=True)

        assert demo.end() == 0, demo.output
        assert gone(family)
    assert demo.row("Tasks") == "180 done, 0 failed"
    assert int(demo.row("Tasks taken back")) >= 1
    for check in ("Counters", "One result for each point", "Done by others after a death"):
        assert demo.row(check) == "ok"


@pytest.mark.timeout(240)
def test_commands_end_as_they_have_to_though_a_runner_is_killed(data):
    with demonstration("ci", **data) as demo:
        demo.wait_for("runner-[12] was killed at work")
        family = psutil.Process(demo.process.pid).children(recursive=True)

        assert demo.end() == 0, demo.output
        assert gone(family)
    for check in ("The killed runner's command was tried again", "The file came back as it was"):
        assert demo.row(check) == "ok"


@pytest.mark.timeout(300)
def test_jobs_of_workers_end_as_they_have_to_and_listeners_miss_nothing(data):
    with demonstration("collab", **data) as demo:
        demo.wait_for("collab-[1-4] was killed at work")
        family = psutil.Process(demo.process.pid).children(recursive=True)

        assert demo.end() == 0, demo.output
        assert gone(family)
    for check in (
        "The socket heard every event in order, across a break",
        "The stream brought every event once and in order",
        "The signed file came back as it was",
    ):
        assert demo.row(check) == "ok"


@pytest.mark.timeout(240)
def test_calls_of_language_models_are_shared_and_counted_as_the_policies_promise(data):
    with demonstration("routing", **data) as demo:
        demo.wait_for("100 calls for which the dear one is denied")
        family = psutil.Process(demo.process.pid).children(recursive=True)

        assert demo.end() == 0, demo.output
        assert gone(family)
    for check in (
        "Nobody was asked with the expired key",
        "/metrics has the same costs",
        "Every call has one snapshot that says the same",
    ):
        assert demo.row(check) == "ok"


def test_the_verdicts_find_fault(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("pass\n")
    plan = Plan("channel", {"task": File(path, "one.py", 5)}, {})
    lie = {"id": "task", "status": "done", "result": "a lie"}

    found = verdict.judge(plan, [lie], [])
    swept = sweep_verdict.judge(sweep_verdict.SweepRun({}, [], [], [], "", ""))

    assert (len(found.results), len(found.once)) == (1, 1)
    assert all((swept.counters, swept.grid, swept.death))
