"""Bad input over HTTP to a running coordinator."""

from urllib.parse import quote

import httpx
import pytest

from tests.api_v1.calls import JSON
from tests.coordinator_project.conftest import used_by_module
from tests.coordinator_project.running import running

__all__ = ["used_by_module"]

LARGE = b'{"agent_id":"a","name":"' + b"x" * 2 * 1024 * 1024 + b'"}'
PATHS = ["/agents/heartbeat", "/tasks", "/tasks/claim", "/tasks/report", "/events", "/nothing"]


@pytest.fixture(scope="module")
def server(used_by_module):
    with running(used_by_module, COORDINATOR_PROCESSES="1") as coordinator:
        url = coordinator.ready().url + "/v1"
        with httpx.Client(base_url=url, timeout=20) as client:
            yield client


def refusal(response):
    assert response.headers["Content-Type"] == JSON
    assert response.headers["X-Request-Id"]
    error = response.json()["error"]
    assert error.keys() == {"code", "message"}
    assert error["message"]
    return response.status_code, error["code"]


@pytest.fixture
def nothing_written(server):
    yield
    for kind in ("agents", "channels", "chains", "tasks", "events"):
        assert server.get(f"/{kind}").json() == {kind: []}


@pytest.mark.parametrize("path", PATHS)
def test_two_mebibytes_are_too_much(server, nothing_written, path):
    assert refusal(server.post(path, content=LARGE)) == (413, "payload_too_large")


@pytest.mark.parametrize("path", PATHS)
def test_two_mebibytes_in_chunks_are_too_much(server, nothing_written, path):
    parts = (LARGE[start : start + 65_536] for start in range(0, len(LARGE), 65_536))

    assert refusal(server.post(path, content=parts)) == (413, "payload_too_large")


def test_a_body_in_chunks_is_read_whole(server, nothing_written):
    response = server.post("/agents/heartbeat", content=iter([b'{"agent_id":', b"5}"]))

    assert refusal(response) == (400, "bad_json")
    assert "agent_id" in response.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 10_000, b'{"agent_id":"\\u0000"}'])
def test_nonsense_is_refused(server, nothing_written, body):
    for path in ("/agents/heartbeat", "/tasks/claim", "/tasks/claim?wait_seconds=1"):
        assert refusal(server.post(path, content=body))[0] == 400, path


def test_unknown_objects_are_not_found(server, nothing_written):
    assert refusal(server.get("/nothing")) == (404, "not_found")
    assert refusal(server.post("/tasks/%00/cancel", json={})) == (404, "not_found")


@pytest.mark.parametrize("path", ["/tasks/claim", "/tasks/claim?wait_seconds=1"])
def test_the_answer_to_a_wrong_method_names_the_right_one(server, nothing_written, path):
    response = server.get(path)

    assert refusal(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("name", ["a/chain", "50%", "%2F", "%252f", "heartbeat", "빌드/?#", " x"])
def test_an_agents_id_is_one_segment_of_a_path(server, name):
    server.post("/agents/heartbeat", json={"agent_id": name})

    found = server.get(f"/agents/{quote(name, safe='')}")

    assert found.json()["agent"]["id"] == name.strip()
    path = f"/agents/{quote(name, safe='')}"
    assert server.get(f"{path}/chain").status_code == 404
    assert server.post(f"{path}/retire", json={"remove": True}).json()["removed"] is True
