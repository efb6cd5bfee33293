import signal

import httpx
import psutil

from tests.coordinator_project.running import ask_each, gone, running
from tests.demo.demo import demonstration

FEW = ("--files", "40", "--agents", "2")
SLOW = ("--files", "200", "--pause", "0.05")


def test_it_starts_a_coordinator_where_none_runs_and_stops_it(folder):
    nobody = {"COORDINATOR_DATA_DIR": str(folder), "COORDINATOR_PORT": "1"}
    with demonstration(*FEW, "--pause", "0.01", **nobody) as demo:
        demo.wait_for("go to the coordinator at http://127.0.0.1:")
        family = psutil.Process(demo.process.pid).children(recursive=True)
        assert family

        assert demo.end() == 0, demo.output
        assert gone(family)
    assert demo.row("Tasks").startswith("76: 40 files")


def test_a_signal_in_the_middle_stops_all_that_it_started(folder):
    nobody = {"COORDINATOR_DATA_DIR": str(folder), "COORDINATOR_PORT": "1"}
    with demonstration(*SLOW, **nobody) as demo:
        demo.wait_until_done(0.2)
        family = psutil.Process(demo.process.pid).children(recursive=True)
        assert "postgres" in ask_each(family, psutil.Process.name)

        demo.process.send_signal(signal.SIGTERM)

        assert demo.end(within=30) == 128 + signal.SIGTERM
        assert gone(family)
        assert "Traceback" not in demo.output


def test_an_address_that_is_named_must_answer():
    with demonstration(*FEW, COORDINATOR_URL="http://127.0.0.1:1") as demo:
        assert demo.end() == 1

        assert "No coordinator answers at http://127.0.0.1:1" in demo.output


def test_it_sends_the_token(folder):
    secret = {"COORDINATOR_AUTH_TOKEN": "open sesame"}
    with running(folder, **secret) as coordinator:
        url = coordinator.ready().url
        with demonstration(*FEW, COORDINATOR_URL=url) as without:
            assert without.end() == 1
            assert "401" in without.output

        with demonstration(*FEW, COORDINATOR_URL=url, **secret) as demo:
            assert demo.end() == 0, demo.output


def test_what_somebody_else_did_to_its_tasks_is_found_out(folder):
    with (
        running(folder) as coordinator,
        demonstration(*SLOW, COORDINATOR_URL=coordinator.ready().url) as demo,
    ):
        demo.wait_until_done(0.2)
        with httpx.Client(base_url=coordinator.url) as client:
            queued = client.get("/v1/tasks", params={"status": "queued"}).json()["tasks"]
            stolen = next(task for task in reversed(queued) if "chain_id" not in task)
            wish = {"task_id": stolen["id"], "agent_id": "intruder"}
            client.post("/v1/tasks/assign", json=wish).raise_for_status()
            client.post("/v1/tasks/complete", json=wish | {"result": "a lie"}).raise_for_status()

        assert demo.end() == 1
    assert demo.row("Results as by hashlib") == "1 wrong"
    assert f"{stolen['title']} is done with a lie" in demo.output
