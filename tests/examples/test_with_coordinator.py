"""The worker and a coordinator that really runs."""

import httpx
import psycopg
import pytest

from coordinator_project import embedded
from tests.coordinator_project.running import eventually, running
from tests.examples.pretender import working

KEY = {"ORHESTRA_AGENT_KEY": "open sesame"}
ONE = {"min": 10, "max": 10, "step": 1}
FORM_A = {
    "jarPath": "/opt/optimizer.jar",
    "mainClass": "Optimizer",
    "algorithms": ["PSO", "GA", "DE"],
    "iterations": {"min": 20, "max": 40, "step": 20},
    "agents": ONE,
    "dimension": {"min": 2, "max": 2, "step": 1},
}


def form_b(**params):
    constants = {"name": "PSO", "function": "sphere", "iterations": 50, "agents": 10}
    values = constants | {"dimension": 2} | params
    typed = {
        name: {"type": "ENUM_LIST", "values": value}
        if isinstance(value, list)
        else {"type": "CONSTANT", "value": value}
        for name, value in values.items()
    }
    own = {"algorithm", "name", "function"}
    return {
        "artifactBucket": "experiments",
        "artifactKey": "optimizer.jar",
        "mainClass": "Optimizer",
        "parameters": [
            {"groupId": "algorithm", "params": {k: v for k, v in typed.items() if k in own}},
            {"groupId": "run", "params": {k: v for k, v in typed.items() if k not in own}},
        ],
    }


class Client:
    def __init__(self, coordinator):
        self.coordinator = coordinator

    def post(self, path, body):
        response = httpx.post(self.coordinator.url + path, json=body, timeout=10)
        response.raise_for_status()
        return response.json()

    def sweep(self, body):
        return self.post("/api/v1/jobs", body)["jobId"]

    def job(self, job_id):
        return self.coordinator.get(f"/api/v1/jobs/{job_id}").json()

    def results(self, job_id):
        return self.coordinator.get(f"/api/v1/jobs/{job_id}/results").json()["results"]

    def held_by(self, spot_id):
        path = f"/v1/tasks?status=in_progress&agent_id={spot_id}"
        return [task["id"] for task in self.coordinator.get(path).json()["tasks"]]

    def wait_until_held_by(self, spot_id):
        return eventually(lambda: self.held_by(spot_id))


@pytest.fixture(scope="module")
def server(used_by_module):
    with running(used_by_module, **KEY) as coordinator:
        yield coordinator.ready()


@pytest.fixture
def client(server, used_by_module):
    """A client of the coordinator of all tests here, without what they have left there."""
    with embedded.database(used_by_module) as database, psycopg.connect(database.url) as emptying:
        emptying.execute("TRUNCATE agents_agent, tasks_channel, jobs_job, events_event CASCADE")
    return Client(server)


@pytest.fixture
def mortal(used_folder):
    """A client of a coordinator that a test may end."""
    with running(used_folder, **KEY) as coordinator:
        yield Client(coordinator.ready())


def work(client, *options):
    return working(client.coordinator.url, "--spot-id", "spot-1", *options, **KEY)


@pytest.mark.parametrize("batch", ["1", "4"])
def test_it_does_all_of_a_sweep_in_either_form(client, batch):
    plain = client.sweep(FORM_A)
    grouped = client.sweep(form_b(name=["PSO", "DE"], function=["sphere", "rastrigin"]))

    with work(client, "--until-empty", "--batch", batch) as worker:
        assert worker.end() == 0

    for job_id, tasks in ((plain, 6), (grouped, 4)):
        job = client.job(job_id)
        assert (job["status"], job["completedTasks"], job["failedTasks"]) == ("COMPLETED", tasks, 0)
    for result in client.results(plain):
        assert result["iter"] == result["iterations"]
        assert result["fopt"] == result["result"]["charts"]["convergence"][-1][1]
    functions = [(row["algorithm"], row["function"]) for row in client.results(grouped)]
    assert functions == [
        ("PSO", "sphere"),
        ("PSO", "rastrigin"),
        ("DE", "sphere"),
        ("DE", "rastrigin"),
    ]


def test_the_same_sweep_twice_has_the_same_results(client):
    jobs = [client.sweep(FORM_A) for _ in range(2)]

    with work(client, "--until-empty") as worker:
        assert worker.end() == 0

    first, second = ([row["fopt"] for row in client.results(job)] for job in jobs)
    assert first == second
    assert len(set(first)) == 6


def test_started_again_it_is_the_same_spot(client):
    for _ in range(2):
        with work(client, "--until-empty") as worker:
            assert worker.end() == 0

    spots = client.coordinator.get("/api/v1/spots").json()["spots"]
    assert [spot["id"] for spot in spots] == ["spot-1"]


def test_a_restart_of_the_coordinator_costs_nothing(mortal, used_folder):
    functions = ["sphere", "ackley", "rosenbrock", "rastrigin"]
    job_id = mortal.sweep(form_b(name=["PSO", "DE"], function=functions))
    port = mortal.coordinator.url.rpartition(":")[2]

    with work(mortal, "--slow", "500") as worker:
        mortal.wait_until_held_by("spot-1")
        mortal.coordinator.end()
        eventually(lambda: "trying again" in worker.output)
        with running(used_folder, COORDINATOR_PORT=port, **KEY) as again:
            mortal.coordinator = again.ready()
            eventually(lambda: mortal.job(job_id)["status"] == "COMPLETED", within=30)

            assert mortal.job(job_id)["completedTasks"] == 8
            taken_back = again.get("/v1/events?type=task.retried").json()["events"]
    assert taken_back == []


def test_told_to_stop_it_finishes_one_task_and_gives_the_others_back(client):
    job_id = client.sweep(FORM_A)

    with work(client, "--batch", "3", "--slow", "1500") as worker:
        client.wait_until_held_by("spot-1")
        worker.process.terminate()
        assert worker.end() == 0

    assert client.held_by("spot-1") == []
    job = client.job(job_id)
    assert (job["completedTasks"], job["failedTasks"], job["pendingTasks"]) == (1, 0, 5)


def test_a_cancelled_task_is_given_up_at_the_next_heartbeat(client):
    job_id = client.sweep(form_b())

    with work(client, "--slow", "60000"):
        (task_id,) = client.wait_until_held_by("spot-1")
        client.post(f"/v1/tasks/{task_id}/cancel", {})

        eventually(lambda: client.job(job_id)["cancelledTasks"] == 1)
    assert client.job(job_id)["status"] == "CANCELLED"


def test_an_unknown_task_waits_for_another_worker(client):
    unknown = client.sweep(form_b(function="michalewicz"))
    known = client.sweep(form_b())

    with work(client, "--until-empty") as worker:
        assert worker.end() == 0

    assert client.job(known)["status"] == "COMPLETED"
    job = client.job(unknown)
    assert (job["pendingTasks"], job["failedTasks"]) == (1, 0)


def test_a_wrong_key_is_logged(client):
    with working(client.coordinator.url, ORHESTRA_AGENT_KEY="close") as worker:
        assert worker.end() == 1

    assert "401" in worker.output
