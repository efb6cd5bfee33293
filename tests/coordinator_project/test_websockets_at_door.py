"""What asks for a WebSocket and gets none."""

import json
import time

import pytest

from tests.coordinator_project.running import eventually
from tests.coordinator_project.test_door import answer_to, ask, connected, is_cut, logged
from tests.serving import TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (*UPGRADE, "Sec-WebSocket-Version: 13", KEY)
KNOWN = f"Authorization: Bearer {TOKEN}"
LIVE = "/console/live"
HEARTBEAT = "/v1/agents/heartbeat"
BODY = b'{"agent_id": "a"}'
SLOW = """
import asyncio
from coordinator_project import asgi, patience
from dashboard import routing
patience.HEAD_WITHIN = 1.0
found = routing.application

async def slow(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    await found(scope, receive, send)

routing.application = slow
"""


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving(SLOW) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_log(server):
    server.errors.clear()


@pytest.mark.parametrize(
    "request_",
    [
        ask(HEARTBEAT, *UPGRADE, f"Content-Length: {len(BODY)}", method="POST") + BODY,
        ask(HEARTBEAT, *HANDSHAKE, f"Content-Length: {len(BODY)}", method="POST") + BODY,
        ask(HEARTBEAT, *HANDSHAKE, method="POST"),
        ask(LIVE, *HANDSHAKE, "Content-Length: 1000000"),
        ask(LIVE, *HANDSHAKE, "Content-Length: 2") + b"{}",
        ask(LIVE, *HANDSHAKE, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        ask(LIVE, *HANDSHAKE, f"Cookie: {'x' * 9_000}"),
        ask(f"{LIVE}?cursor={'1' * 9_000}", *HANDSHAKE),
        ask(LIVE, *HANDSHAKE).replace(b"live", b"live\xff"),
        ask(LIVE, *UPGRADE),
        ask(LIVE, *UPGRADE, KEY, "Sec-WebSocket-Version: 8"),
    ],
    ids=[
        "post",
        "post-with-key",
        "post-without-body",
        "body-to-come",
        "body",
        "chunks",
        "long-header",
        "long-line",
        "bytes",
        "no-key",
        "version",
    ],
)
def test_a_handshake_that_cannot_succeed_gets_400_in_json_at_once(server, request_):
    with connected(server, request_) as client:
        client.settimeout(10)
        status, headers, body = answer_to(client)

    assert (status, headers["content-type"]) == (400, "application/json; charset=utf-8")
    assert json.loads(body)["error"]["code"] == "bad_request"
    assert not logged(server, "Traceback|exception")


def test_a_websocket_that_is_asked_for_while_another_answer_is_due_does_not_begin(server):
    both = ask("/v1/stream", KNOWN) + ask(LIVE, *HANDSHAKE, KNOWN)
    with connected(server, both) as client:
        time.sleep(1)

        assert b"101 Switching" not in client.recv(64 * 1024)


def test_a_handshake_that_is_not_answered_in_time_is_cut(server):
    with connected(server, ask("/slow", *HANDSHAKE)) as client:
        eventually(lambda: is_cut(client))
