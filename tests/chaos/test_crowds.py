"""Many clients at once: claims that wait, and streams that nobody reads."""

import asyncio
import json
import resource
import shutil
import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests.chaos.conftest import make_folder
from tests.coordinator_project.running import eventually, running

WAITING = 1_000
STREAMS = 100
FILES = 8_192
FEW_FILES = 256  # fewer than come to one process: the coordinator has to raise its limit by itself


@pytest.fixture
def coordinator(first_run):
    folder = make_folder(first_run)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))
    try:
        with running(folder / "a") as one:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
            yield one.ready(within=120)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        shutil.rmtree(folder, ignore_errors=True)


def address(coordinator):
    parts = urlsplit(coordinator.url)
    return parts.hostname, parts.port


def agents(coordinator):
    """How many there are, by the dashboard's counters."""
    time.sleep(0.5)
    page = httpx.get(coordinator.url + "/console/overview", timeout=30).json()
    return page["counters"]["agents_total"]


def enqueue(coordinator, channel, number):
    tasks = [{"channel": channel, "title": f"task {place}"} for place in range(number)]
    made = httpx.post(coordinator.url + "/v1/tasks", json=tasks, timeout=60)
    assert made.status_code == 201, made.text
    return [task["id"] for task in made.json()["tasks"]]


async def ask(host, port, path, body):
    """The answer to one request, over a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        answer = await reader.read()
    finally:
        writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200", answer
    return json.loads(content)


@pytest.mark.timeout(240)
def test_a_thousand_claims_wait_and_each_gets_a_task_of_its_own(coordinator):
    host, port = address(coordinator)
    httpx.post(coordinator.url + "/v1/channels", json={"name": "crowd"})

    async def wait_for_a_task(name):
        path = "/v1/tasks/claim?wait_seconds=30"
        body = {"agent_id": name, "channel": "crowd", "max_tasks": 1}
        while not (tasks := (await ask(host, port, path, body))["tasks"]):
            pass
        return tasks[0]["id"]

    async def crowd():
        names = [f"agent-{place}" for place in range(WAITING)]
        waiting = [asyncio.create_task(wait_for_a_task(name)) for name in names]
        await asyncio.to_thread(eventually, lambda: agents(coordinator) == WAITING, 120)
        other = await ask(host, port, "/v1/agents/heartbeat", {"agent_id": "beside"})
        made = []
        for _ in range(4):
            made += await asyncio.to_thread(enqueue, coordinator, "crowd", WAITING // 4)
        return other, made, await asyncio.gather(*waiting)

    other, made, taken = asyncio.run(crowd())

    assert other["agent"]["id"] == "beside"
    assert sorted(taken) == sorted(made)
    assert "Traceback" not in coordinator.output


@pytest.mark.timeout(240)
def test_work_goes_on_beside_streams_that_nobody_reads(coordinator):
    httpx.post(coordinator.url + "/v1/channels", json={"name": "busy"})
    with ExitStack() as stack:
        for place in range(STREAMS):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            deaf.connect(address(coordinator))
            path = "/v1/stream" if place % 2 else "/console/stream"
            deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        one = stack.enter_context(httpx.Client(base_url=coordinator.url, timeout=30))
        done, tasks = 0, []
        claim = {"channels": ["busy"], "max_tasks": 50}
        for _ in range(3):
            enqueue(coordinator, "busy", 500)
            while True:
                outcomes = [{"task_id": task["id"], "status": "done"} for task in tasks]
                report = {"agent_id": "one", "outcomes": outcomes, "claim": claim}
                answer = one.post("/v1/tasks/report", json=report)
                assert answer.status_code == 200, answer.text
                done += len(tasks)
                tasks = answer.json()["tasks"]
                assert one.post("/v1/agents/heartbeat", json={"agent_id": "two"}).is_success
                if not tasks:
                    break

        assert done == 1_500
        assert one.get("/health").is_success
        with one.stream("GET", "/v1/stream?last_event_id=1") as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if '"type":"tasks"' in line)
    assert coordinator.end() == 0
    assert "Traceback" not in coordinator.output
