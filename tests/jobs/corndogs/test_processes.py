"""A coordinator and bridges as processes, while Corndogs falls silent and bridges are killed."""

import signal
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from jobs.corndogs import faces
from tests.coordinator_project.running import Program, environment, eventually, running
from tests.jobs.command_calls import QUEUE, command
from tests.jobs.corndogs.server import CborServer, HttpServer


@contextmanager
def bridging(folder, server):
    bridge = Program("manage.py", "run_corndogs_bridge", env=surroundings_of(folder, server))
    try:
        eventually(lambda: "Takes commands from" in bridge.output, 30)
        yield bridge
    finally:
        if bridge.process.poll() is None:
            bridge.process.kill()
        bridge.process.wait(10)
        bridge.reader.join(5)


def surroundings_of(folder, server):
    key = {"CORNDOGS_API_KEY": server.key} if server.key else {}
    return environment(folder, CORNDOGS_BASE_URL=server.url, **key)


class Fleet:
    """People and runners of one coordinator."""

    def __init__(self, url):
        self.url = url
        self.made = []

    def post(self, path, body, **headers):
        return httpx.post(f"{self.url}{path}", json=body, timeout=40, headers=headers)

    def submit(self, **fields):
        answer = self.post("/api/v1/jobs", command(**fields))
        assert answer.status_code == 201, answer.text
        self.made.append(answer.json()["job_id"])
        return self.made[-1]

    def job(self, job_id):
        return httpx.get(f"{self.url}/api/v1/jobs/{job_id}", timeout=10).json()

    def count(self, status):
        query = {"status": status, "limit": 1}
        return httpx.get(f"{self.url}/api/v1/jobs", params=query, timeout=10).json()["total"]

    def claim(self, wait=0):
        """The task that a runner gets; None if there is none."""
        body = {"agent_id": "runner", "channels": [QUEUE], "max_tasks": 1, "lease_seconds": 60}
        answer = self.post(f"/v1/tasks/claim?wait_seconds={wait}", body)
        return next(iter(answer.json()["tasks"]), None)

    def run(self, wait=0):
        """Claim a task and complete it; its job's id."""
        task = self.claim(wait)
        if task is None:
            return None
        said = {"agent_id": "runner", "lease_epoch": task["lease_epoch"]}
        body = said | {"status": "completed", "exit_code": 0}
        lease = {"Authorization": f"Bearer {task['lease_token']}"}
        assert self.post(f"/v1/tasks/{task['id']}/exit", body, **lease).status_code == 200
        return task["payload"]["job_id"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [HttpServer, CborServer], ids=lambda kind: kind.scheme)
def test_nothing_is_lost_and_nothing_runs_twice(used_folder, kind):
    server = kind(key="the-key-of-the-queue")
    try:
        settings = {"CORNDOGS_BASE_URL": server.url, "CORNDOGS_API_KEY": server.key}
        with running(used_folder, **settings) as coordinator:
            fleet = Fleet(coordinator.ready().url)
            ran = go_through_it(fleet, server, used_folder)
            eventually(lambda: server.store.open() == [], 30)
            assert fleet.claim() is None
            assert sorted(ran) == sorted(fleet.made)
            assert server.key not in coordinator.output
    finally:
        server.stop()


def go_through_it(fleet, server, folder):
    """The ids of the jobs that ran, in order."""
    ran = []
    with bridging(folder, server) as bridge:
        waits = threading.Thread(target=lambda: ran.append(fleet.run(wait=30)))
        waits.start()
        fleet.submit()
        waits.join(35)
        assert ran == fleet.made  # the claim was woken

        server.says = b""  # silent
        for _ in range(10):
            began = time.monotonic()
            fleet.submit()
            assert time.monotonic() - began < faces.ANSWER_SECONDS  # it did not wait for the server
        server.stop()
        assert fleet.count("submitted") == 10
        bridge.process.send_signal(signal.SIGKILL)
        server.says = None
        server.start()
        eventually(lambda: len(server.store.open()) >= 10, 60)
        assert fleet.count("submitted") == 10

    with bridging(folder, server) as second, bridging(folder, server) as third:
        eventually(lambda: fleet.count("queued") >= 5, 60)
        second.process.send_signal(signal.SIGKILL)
        while len(ran) < 11:
            ran.append(eventually(fleet.run, 60))
        third.process.send_signal(signal.SIGTERM)
        assert third.process.wait(10) == 0, third.output
        assert "Traceback" not in third.output
        assert server.key not in third.output

    server.lost.add("SubmitTask")
    fleet.submit()
    eventually(lambda: len(server.store.open()) >= 2, 30)  # those that ended are among them
    server.lost.clear()
    with bridging(folder, server):
        ran.append(eventually(fleet.run, 60))
        eventually(lambda: fleet.job(fleet.made[-1])["corndogs_task_id"], 10)
        eventually(lambda: server.store.open() == [], 60)
    return ran
