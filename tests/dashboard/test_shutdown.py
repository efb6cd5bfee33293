"""The end of open streams and waiting claims when the coordinator stops."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from tests.coordinator_project.conftest import folder, used_folder
from tests.coordinator_project.running import eventually, gone, running

__all__ = ["folder", "used_folder"]


def test_open_streams_and_waiting_claims_do_not_delay_the_stop(used_folder):
    with ExitStack() as stack:
        coordinator = stack.enter_context(running(used_folder))
        coordinator.ready()
        url = coordinator.url
        httpx.post(f"{url}/v1/channels", json={"name": "empty"}).raise_for_status()
        pool = stack.enter_context(ThreadPoolExecutor(30))
        streams = [Stream(url) for _ in range(8)]
        reading = [pool.submit(stream.read) for stream in streams]
        claims = [pool.submit(claim, url, f"agent-{n}") for n in range(16)]
        eventually(lambda: all(stream.greeted.is_set() for stream in streams))
        eventually(lambda: len(coordinator.get("/v1/agents").json()["agents"]) == len(claims))
        family = coordinator.family()

        started = time.monotonic()
        code = coordinator.end()

        assert time.monotonic() - started < 8
        assert code == 0
        assert gone(family)
        for one in reading:
            one.result(timeout=30)  # the stream ended, without an error
        assert {one.result(timeout=30).status_code for one in claims} == {404}


class Stream:
    def __init__(self, url):
        self.url = url
        self.greeted = threading.Event()

    def read(self):
        with httpx.stream("GET", f"{self.url}/v1/stream", timeout=30) as response:
            for line in response.iter_lines():
                if line == "event: hello":
                    self.greeted.set()


def claim(url, agent):
    body = {"agent_id": agent, "channel": "empty"}
    return httpx.post(f"{url}/v1/tasks/claim?wait_seconds=30", json=body, timeout=40)
