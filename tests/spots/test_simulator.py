"""Simulated SPOTs on a real coordinator."""

import re
import signal

import httpx
import psycopg
import pytest
from django.core.management import CommandError, call_command

from coordinator_project import embedded
from spots import simulator
from spots.management.commands.simulate_spots import credentials, own_url
from spots.simulator import Play
from tests.coordinator_project.conftest import folder, used_by_module
from tests.coordinator_project.running import Program, environment, eventually, running
from tests.examples.pretender import pretending, task

__all__ = ["folder", "used_by_module"]

KEY = {"ORHESTRA_AGENT_KEY": "open sesame"}


class Simulation(Program):
    def __init__(self, folder, *arguments, **more):
        super().__init__("manage.py", "simulate_spots", *arguments, env=environment(folder, **more))

    def end(self, within=60.0):
        code = self.process.wait(within)
        self.reader.join(5)
        return code

    def count(self, what):
        """The number of tasks with this outcome in its last line."""
        found = re.search(rf"(\d+) {what}\b", self.lines[-1])
        return int(found[1]) if found else 0


def simulated(pretender, **different):
    """The totals of one SPOT with the answers of `pretender`."""
    usual = {"url": pretender.url, "headers": {}, "shortest": 0.0, "longest": 0.0}
    play = Play(**usual | {"fail_rate": 0.0} | different)
    tally, _ = simulator.Simulation(play, 1).run(print, seconds=None, until_empty=True)
    return tally


class Coordinator:
    def __init__(self, running_one, folder):
        self.running = running_one
        self.folder = folder

    def sweep(self, tasks):
        one = {"min": 1, "max": 1, "step": 1}
        body = {
            "jarPath": "/opt/optimizer.jar",
            "mainClass": "Optimizer",
            "algorithms": ["PSO"],
            "iterations": {"min": 1, "max": tasks, "step": 1},
            "agents": one,
            "dimension": one,
        }
        answer = httpx.post(f"{self.running.url}/api/v1/jobs", json=body, timeout=10)
        return answer.json()["jobId"]

    def job(self, job_id):
        return self.running.get(f"/api/v1/jobs/{job_id}").json()

    def simulate(self, *arguments, **key):
        return Simulation(self.folder, "--url", self.running.url, *arguments, **(key or KEY))


@pytest.fixture(scope="module")
def server(used_by_module):
    with running(used_by_module, COORDINATOR_SPOT_LOST_SECONDS="5", **KEY) as one:
        yield Coordinator(one.ready(), used_by_module)


@pytest.fixture
def coordinator(server):
    """The coordinator of all tests here, without what they have left there."""
    with embedded.database(server.folder) as database, psycopg.connect(database.url) as emptying:
        emptying.execute("TRUNCATE agents_agent, tasks_channel, jobs_job, events_event CASCADE")
    return server


def test_five_do_twenty_tasks_and_leave_none_in_hand(coordinator):
    job_id = coordinator.sweep(20)

    simulation = coordinator.simulate("--count", "5", "--delay", "50-150", "--until-empty")

    assert simulation.end(within=15) == 0, simulation.output
    assert simulation.count("done") == 20
    job = coordinator.job(job_id)
    assert (job["status"], job["completedTasks"], job["runningTasks"]) == ("COMPLETED", 20, 0)


def test_half_of_the_tasks_fail_for_good_when_that_is_wished(coordinator):
    job_id = coordinator.sweep(30)

    simulation = coordinator.simulate(
        "--count", "5", "--delay", "10-50", "--fail-rate", "0.5", "--until-empty"
    )

    assert simulation.end(within=30) == 0, simulation.output
    job = coordinator.job(job_id)
    assert job["completedTasks"] + job["failedTasks"] == 30
    assert 0 < job["failedTasks"] < 30
    assert (job["pendingTasks"], job["runningTasks"]) == (0, 0)
    assert simulation.count("failed") == job["failedTasks"]


def test_results_look_as_the_older_simulation_made_them(coordinator):
    job_id = coordinator.sweep(4)

    assert coordinator.simulate("--count", "2", "--delay", "20", "--until-empty").end() == 0

    results = coordinator.running.get(f"/api/v1/jobs/{job_id}/results").json()["results"]
    spots = coordinator.running.get("/api/v1/spots").json()["spots"]
    assert {result["assignedTo"] for result in results} <= {"sim-1", "sim-2"}
    assert all(0 <= result["fopt"] <= 100 for result in results)
    assert all(50 <= result["iter"] <= 499 for result in results)
    assert all(result["runtimeMs"] >= 20 for result in results)
    assert [spot["totalCores"] for spot in spots] == [4, 4]
    assert [spot["ipAddress"] for spot in spots] == ["127.0.0.1", "127.0.0.1"]
    assert all(10 <= spot["cpuLoad"] <= 90 for spot in spots)


def test_a_long_task_is_accompanied_by_heartbeats(coordinator):
    job_id = coordinator.sweep(1)
    simulation = coordinator.simulate("--count", "1", "--delay", "8000", "--until-empty")
    eventually(lambda: coordinator.job(job_id)["runningTasks"])
    seen, leases = set(), set()

    def is_over():
        (spot,) = coordinator.running.get("/api/v1/spots").json()["spots"]
        (task,) = coordinator.running.get("/v1/tasks").json()["tasks"]
        seen.add(spot["status"])
        leases.add(task.get("lease_expires_at"))
        return task["status"] == "done"

    eventually(is_over, within=20)

    assert seen == {"UP"}
    assert len(leases - {None}) >= 3  # each heartbeat renews the task that it lists
    assert simulation.end() == 0, simulation.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_back_their_tasks(coordinator, number):
    job_id = coordinator.sweep(10)
    simulation = coordinator.simulate("--count", "3", "--delay", "60000")
    eventually(lambda: coordinator.job(job_id)["runningTasks"] == 3)

    simulation.process.send_signal(number)

    assert simulation.end() == 0, simulation.output
    assert simulation.count("given back") == 3
    job = coordinator.job(job_id)
    assert (job["pendingTasks"], job["runningTasks"], job["failedTasks"]) == (10, 0, 0)
    assert "Traceback" not in simulation.output


def test_it_ends_after_the_given_seconds(coordinator):
    simulation = coordinator.simulate("--count", "2", "--seconds", "1")

    assert simulation.end() == 0, simulation.output
    assert simulation.count("done") == 0


def test_without_the_key_it_ends_with_a_message(coordinator):
    simulation = coordinator.simulate(ORHESTRA_AGENT_KEY="close sesame")

    assert simulation.end() == 1
    assert "refuses: 401" in simulation.output
    assert "sesame" not in simulation.output


def test_where_no_coordinator_is_it_starts_nothing(folder):
    simulation = Simulation(folder, "--url", "http://127.0.0.1:1")

    assert simulation.end() == 1
    assert "No coordinator answers at http://127.0.0.1:1" in simulation.output
    assert not list(folder.glob("postgres*"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--count", "0"),
        ("--count", "201"),
        ("--delay", "fast"),
        ("--delay", "9" * 400),
        ("--fail-rate", "2"),
        ("--seconds", "nan"),
        ("--seconds", "1e400"),
    ],
)
def test_an_invalid_option_is_refused(option, value):
    with pytest.raises(CommandError, match=option):
        call_command("simulate_spots", option, value)


@pytest.mark.parametrize("how", ["heartbeat", "report"])
def test_a_task_that_was_taken_away_counts_as_lost(how):
    with pretending() as pretender:
        pretender.tasks = [[task("a")], [task("b")]]
        if how == "heartbeat":
            pretender.heartbeat_answer = {"lost": ["a"]}
        else:
            pretender.refused = {"a": 409}

        tally = simulated(pretender)

    assert (tally.claimed, tally.done, tally.lost) == (2, 1, 1)
    assert str(tally) == "1 done, 0 failed, 1 taken away by the coordinator"
    assert (("a", "complete") in pretender.reports()) == (how == "report")


def test_a_task_that_is_to_be_cancelled_fails_for_good():
    with pretending() as pretender:
        pretender.tasks = [[task("a")]]
        pretender.heartbeat_answer = {"cancelled": ["a"]}

        tally = simulated(pretender)

    assert tally.failed == 1
    assert pretender.bodies_of("a/fail")[0]["retriable"] is False


def test_trouble_on_the_way_is_lived_through():
    with pretending() as pretender:
        pretender.tasks = [[task("a", epoch=5)]]
        pretender.trouble = [200, 503, None, 503]  # the first request has to be answered well

        tally = simulated(pretender)

    assert not pretender.trouble
    assert tally.done == 1
    assert pretender.bodies_of("a/complete")[0]["leaseEpoch"] == 5


def test_it_uses_the_address_of_the_settings(settings):
    settings.COORDINATOR_PORT = 9000
    settings.COORDINATOR_HOST = "0.0.0.0"  # noqa: S104
    assert own_url() == "http://127.0.0.1:9000"

    settings.COORDINATOR_HOST, settings.OWN_HOST = "::1", "[::1]"
    assert own_url() == "http://[::1]:9000"


def test_the_key_goes_before_the_token(settings):
    settings.ORHESTRA_AGENT_KEY, settings.COORDINATOR_AUTH_TOKEN = "", "token"
    assert credentials("") == {"Authorization": "Bearer token"}
    assert credentials("given") == {"X-Orhestra-Key": "given"}

    settings.ORHESTRA_AGENT_KEY = "of the settings"
    assert credentials("") == {"X-Orhestra-Key": "of the settings"}
