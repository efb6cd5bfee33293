"""Paused and slow workers, and restarted coordinators, all as real processes."""

import os
import re
import signal
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.coordinator_project.conftest import folder, used_by_module, used_folder
from tests.coordinator_project.running import Program, eventually, running, surroundings
from tests.jobs.sweeps import ranges
from tests.serving import NO_TLS

__all__ = ["folder", "used_by_module", "used_folder"]

LEASE = 3
SHORT = {
    "COORDINATOR_PROCESSES": "1",
    "ORHESTRA_TASK_TIMEOUT_SECONDS": str(LEASE),
    "COORDINATOR_TASK_REAPER_SECONDS": "1",
    "COORDINATOR_GRACE_SECONDS": "1",
}


class Server:
    """A coordinator with short leases, and a client of it."""

    def __init__(self, url, client):
        self.url = url
        self.client = client

    def post(self, path, status=200, **body):
        response = self.client.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json()

    def sweep(self, tasks=1):
        body = self.post("/api/v1/jobs", 201, **ranges(dimension=(1, tasks, 1)))
        return body["jobId"]

    def job(self, job_id):
        body = self.client.get(f"/api/v1/jobs/{job_id}").json()
        return body["status"], body["completedTasks"], body["failedTasks"]

    def task(self, task_id):
        return self.client.get(f"/v1/tasks/{task_id}").json()["task"]

    def claim(self, spot_id, number=1):
        body = self.post("/internal/v1/tasks/claim", spotId=spot_id, maxTasks=number)
        return body["tasks"]

    def beat(self, spot_id, tasks):
        usual = {"cpuLoad": 0, "runningTasks": len(tasks), "totalCores": 1}
        return self.post("/internal/v1/heartbeat", spotId=spot_id, **usual, tasks=tasks)

    def complete(self, task_id, spot_id, status=200):
        return self.post(f"/internal/v1/tasks/{task_id}/complete", status, spotId=spot_id)


@contextmanager
def served(folder, **more):
    with running(folder, **SHORT | more) as coordinator:
        url = coordinator.ready().url
        with httpx.Client(base_url=url, timeout=20, verify=NO_TLS) as client:
            yield Server(url, client)


@pytest.fixture(scope="module")
def server(used_by_module):
    with served(used_by_module) as one:
        yield one


@contextmanager
def working(server, spot_id, seconds):
    worker = Program("tests/spots/worker.py", server.url, spot_id, seconds, env=surroundings())
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait(10)
        worker.reader.join(10)


def heard(worker, pattern):
    return eventually(lambda: re.search(pattern, worker.output), 20)[1]


@pytest.mark.parametrize("taken", [True, False], ids=["another has it", "nobody has it"])
def test_a_worker_paused_longer_than_its_lease_reports_late(server, taken):
    job = server.sweep()
    with working(server, "spot-1", "1.5") as worker:
        task_id = heard(worker, "claimed (\\S+)")
        os.kill(worker.process.pid, signal.SIGSTOP)
        eventually(lambda: server.task(task_id)["status"] == "queued", 20)
        if taken:
            assert [task["id"] for task in server.claim("spot-2")] == [task_id]
        assert "answer" not in worker.output
        os.kill(worker.process.pid, signal.SIGCONT)
        answer = heard(worker, "answer (.*)")

    if taken:
        wrong = '409 {"success": false, "error": "task not assigned to this spot"}'
        assert answer == wrong
        assert server.task(task_id)["assigned_agent_id"] == "spot-2"
        assert server.complete(task_id, "spot-2") == {"success": True}
    else:
        assert answer == '200 {"success": true}'
        assert server.task(task_id)["result"]["fopt"] == 1.5
    assert server.job(job) == ("COMPLETED", 1, 0)
    [attempt] = server.task(task_id)["bad_attempts"]
    assert (attempt["agent_id"], attempt["outcome"]) == ("spot-1", "expired")


def test_b20_a_run_longer_than_the_limit_ends_well_if_its_heartbeats_list_it(server):
    job = server.sweep(2)
    [kept] = server.claim("spot-1")
    [forgotten] = server.claim("spot-2")
    until = time.monotonic() + 2.5 * LEASE
    while time.monotonic() < until:
        assert "lost" not in server.beat("spot-1", [kept["id"]])
        server.beat("spot-2", [])
        time.sleep(0.2)

    assert server.task(forgotten["id"])["status"] == "queued"
    assert server.complete(kept["id"], "spot-1") == {"success": True}
    assert server.job(job) == ("RUNNING", 1, 0)
    server.post(f"/api/v1/jobs/{job}/cancel")


def test_b12_a_coordinator_that_starts_again_forgets_nothing(used_folder):
    patient = {"ORHESTRA_TASK_TIMEOUT_SECONDS": "300"}
    with served(used_folder, **patient) as server:
        job = server.sweep(3)
        done, held = server.claim("spot-1", 2)
        server.complete(done["id"], "spot-1")

    with served(used_folder, **patient) as server:
        assert server.job(job) == ("RUNNING", 1, 0)
        [spot] = server.client.get("/api/v1/spots").json()["spots"]
        assert (spot["id"], spot["tasks"]) == ("spot-1", 1)
        assert server.complete(held["id"], "spot-1") == {"success": True}
        assert len(server.claim("spot-2", 10)) == 1
