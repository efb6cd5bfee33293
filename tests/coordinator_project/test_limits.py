"""One limit for all processes of a `serve`, whichever of them answers."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.coordinator_project.running import running
from tests.serving import NO_TLS

KEY = {"x-api-key": "the shared token of a fleet"}
LIMIT = 40
PROCESSES = 2


def test_all_processes_count_together_and_go_on_when_one_is_replaced(used_folder):
    settings = {
        "COORDINATOR_AUTH_TOKEN": KEY["x-api-key"],
        "COORDINATOR_PROCESSES": str(PROCESSES),
        "COORDINATOR_RATE_READ": f"{LIMIT}/d",
        "COORDINATOR_RATE_HEARTBEAT": f"{LIMIT}/d",
    }
    with running(used_folder, **settings) as coordinator:
        url = coordinator.ready().url

        def read(number):
            # Lists are answered by the process for bulk, the others by those for HTTP.
            path = "/v1/tasks" if number % 3 else "/v1/agents/nobody"
            answer = httpx.get(url + path, headers=KEY, timeout=30, verify=NO_TLS)
            return answer.status_code == 429, answer.headers.get("RateLimit-Limit")

        with ThreadPoolExecutor(8) as clients:
            found = Counter(clients.map(read, range(3 * LIMIT)))

        assert found.keys() == {(False, None), (True, str(LIMIT))}
        others = PROCESSES  # those for HTTP and the one for bulk, but one
        assert LIMIT <= found[False, None] <= LIMIT + others

        for process in serving_http(coordinator):
            process.kill()
            process.wait(10)
        assert refused_again(url)


def serving_http(coordinator):
    """The processes that were forked last: those that answer HTTP."""
    workers = [one for one in coordinator.family() if "serve" in one.cmdline()]
    return sorted(workers, key=lambda one: one.pid)[-PROCESSES:]


def refused_again(url):
    """Whether the processes that were started again know what those before them let in."""
    transport = httpx.HTTPTransport(retries=20, verify=NO_TLS)
    with httpx.Client(transport=transport, headers=KEY, timeout=30) as client:
        return client.get(f"{url}/v1/agents/nobody").status_code == 429
