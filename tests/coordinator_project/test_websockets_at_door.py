"""What asks for a WebSocket and gets none, and what clients send on one: no error of ours."""

import json
import re
import struct
import time

import psutil
import pytest

from tests.coordinator_project.running import eventually
from tests.coordinator_project.test_door import (
    MIB,
    answer_to,
    ask,
    connected,
    is_cut,
    logged,
)
from tests.serving import TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (*UPGRADE, "Sec-WebSocket-Version: 13", KEY)
KNOWN = f"Authorization: Bearer {TOKEN}"
LIVE = "/console/live"
HEARTBEAT = "/v1/agents/heartbeat"
BODY = b'{"agent_id": "a"}'
TEXT, PING = 1, 9
SLOW = """
import asyncio
from coordinator_project import asgi, patience, routing
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


def frame(kind, payload, *, fin=True):
    return bytes([fin << 7 | kind, 0x80 | len(payload)]) + bytes(4) + payload


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


def opened(server, *frames, path=LIVE, headers=()):
    """All that the server sends, until it closes, to a client that opens a WebSocket."""
    with connected(server, ask(path, *HANDSHAKE, KNOWN, *headers)) as client:
        received = client.recv(4096)
        for one in frames:
            client.sendall(one)
        while piece := client.recv(64 * 1024):
            received += piece
    return received


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"\xff\xfe")], 1007),
        ([frame(TEXT, b"\xff") + frame(TEXT, b"\xfe") + frame(PING, b"a")], 1007),
        ([frame(TEXT, b"\xc3", fin=False), frame(0, b"\x28")], 1007),
        ([frame(3, b"")], 1002),
        ([frame(0, b"x")], 1002),
        ([frame(8, b"\x03")], 1002),
        ([frame(8, struct.pack("!H", 4999) + b"\xff")], 1007),
        ([b"GET / HTTP/1.1\r\n\r\n"], 1002),
    ],
    ids=["text", "texts", "parts", "kind", "continued", "close", "reason", "http"],
)
def test_odd_frames_end_the_websocket_without_a_traceback(server, frames, code):
    received = opened(server, *frames)

    assert received.startswith(b"HTTP/1.1 101")
    assert re.search(rb"\x88.%s" % re.escape(struct.pack("!H", code)), received, re.DOTALL)
    assert not logged(server, 'Traceback|exception|"level": "error"')


def test_pings_of_a_client_that_does_not_read_take_no_memory(server):
    process = psutil.Process(server.process.pid)
    pings = frame(PING, b"x" * 125) * 1_000
    with connected(server, ask(LIVE, *HANDSHAKE, KNOWN), buffer=4096) as client:
        assert client.recv(12) == b"HTTP/1.1 101"
        before = process.memory_info().rss
        for _ in range(400):
            client.sendall(pings)

        assert process.memory_info().rss - before < 20 * MIB


@pytest.mark.parametrize("early", [frame(TEXT, b"\xff"), frame(3, b""), b"\r\n"])
def test_who_does_not_wait_for_the_handshake_is_cut(server, early):
    with connected(server, ask("/slow", *HANDSHAKE)) as client:
        time.sleep(0.1)
        client.sendall(early)
        eventually(lambda: is_cut(client))

    assert not logged(server, 'Traceback|exception|"level": "error"')


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (LIVE, ["Origin: http://["]),
        (LIVE, ["Origin: http://localhost:99999"]),
        (LIVE, ["Origin: http://localhost:x"]),
        (LIVE, ["Host: a:99999", "Origin: http://localhost"]),
        (LIVE, ["Host: ["]),
        (LIVE, ["X-\xc3\xa9: \xff"]),
        (LIVE, ["Cookie: sessionid=\xff"]),
        (LIVE, ["Authorization: Basic \xff"]),
        (f"{LIVE}?{'a&' * 1_500}", []),
        (f"{LIVE}?token=%00%ff", []),
        (f"{LIVE}?cursor=%ff", []),
        (f"{LIVE}/%00%ff", []),
    ],
)
def test_odd_requests_for_a_websocket_leave_no_traceback(server, path, headers):
    head = ask(path, *HANDSHAKE, *headers).decode("utf-8").encode("latin-1")
    with connected(server, head) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1")

    assert not logged(server, 'Traceback|exception|"level": "error"')
