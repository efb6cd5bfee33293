"""What a process takes from clients that nobody knows, and how long it waits for them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager

import httpx
import psutil
import pytest

from coordinator_project import handover, http_server
from tests.coordinator_project.running import eventually
from tests.serving import NO_TLS, serving

pytestmark = pytest.mark.django_db(transaction=True)

KIB, MIB = 1024, 1024 * 1024
IMPATIENT = """
from coordinator_project import asgi, http_protocol, patience
patience.HEAD_WITHIN = patience.STILL = patience.GRACE = 1.0
http_protocol.LINGER = 1.0

def large(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/v1/whole":
        answer = Whole([b"x" * 2**20] * 64)
    else:
        answer = (b"x" * 2**14 for _ in range(2**12))
    return answer

class Whole(list):
    streaming = False

django = asgi.wsgi_application
asgi.wsgi_application = lambda environ, start: (
    large if environ["PATH_INFO"].startswith(("/v1/whole", "/v1/stream")) else django
)(environ, start)
"""


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving(IMPATIENT) as server:
        yield server


@contextmanager
def connected(server, sends=b"", *, buffer=None):
    with socket.socket() as client:
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(20)
        client.connect(server.listening.getsockname())
        client.sendall(sends)
        yield client


def answer_to(client):
    """Status, headers and body of all that the server sends until it closes."""
    received = b"".join(iter(lambda: client.recv(MIB), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def is_cut(client):
    """Whether the server has ended this connection."""
    client.settimeout(0.01)
    try:
        while client.recv(MIB):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def ask(path, *headers, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def health_is_quick(server):
    started = time.monotonic()
    answer = httpx.get(f"{server.url}/health", verify=NO_TLS)
    return answer.status_code == 200 and time.monotonic() - started < 5


@pytest.mark.parametrize(
    "request_",
    [
        ask(f"/v1/tasks?title={'x' * 70 * KIB}"),
        ask("/v1/tasks", f"X-Long: {'x' * 70 * KIB}"),
        ask("/v1/tasks", *(f"X-{n}: {'x' * 600}" for n in range(90)), f"X: {'x' * 20 * KIB}"),
        ask("/v1/tasks", *(f"X-{n}: y" for n in range(101))),
        ask("/v1/tasks", *(f"X-{n}: y" for n in range(20_000))),
    ],
    ids=["line", "header", "headers", "number", "great-number"],
)
def test_a_head_that_is_too_large_gets_431(server, request_):
    with connected(server, request_) as client:
        status, headers, body = answer_to(client)

    assert status == 431
    assert json.loads(body)["error"]["code"] == "head_too_large"
    assert (headers["connection"], headers["cache-control"]) == ("close", "no-store")
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    "begins",
    [
        b"GET /v1/tasks?x=",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\nX-Trailer: ",
    ],
    ids=["line", "header", "trailer"],
)
def test_a_head_without_an_end_is_refused_long_before_memory_fills(server, begins):
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    sent = 0
    with connected(server, begins) as client:
        try:
            while sent < 200 * MIB:
                sent += client.send(b"x" * MIB)
        except OSError:
            pass

    assert sent < 100 * MIB
    assert process.memory_info().rss - before < 20 * MIB


def test_the_largest_head_passes(server):
    with connected(server, ask("/health", f"X: {'x' * 60 * KIB}", "Connection: close")) as client:
        assert answer_to(client)[0] == 200


@pytest.mark.parametrize(
    ("request_", "success"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", None),
        (b"HELLO\r\n\r\n", None),
        (b"GET /v1/tasks HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n", None),
        (b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", False),
        (
            b"POST /internal/v1/hello HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            False,
        ),
        (b"GET /v1/tasks?\xff=\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
        (b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
    ],
    ids=["tls", "word", "header", "length", "lengths", "query", "path"],
)
def test_what_is_no_request_gets_400_in_json(server, request_, success):
    with connected(server, request_) as client:
        status, headers, body = answer_to(client)

    assert (status, headers["content-type"]) == (400, "application/json; charset=utf-8")
    if success is None:
        assert json.loads(body)["error"]["code"] == "bad_request"
    else:
        assert json.loads(body)["success"] is success
    assert not logged(server, "Traceback|exception")


def logged(server, pattern):
    return [line for line in server.errors if re.search(pattern, line)]


def test_an_unknown_host_is_one_line_without_a_traceback(server):
    for path in ("/v1/tasks", "/admin/", "/health", "/v1/stream"):
        answer = httpx.get(server.url + path, headers={"Host": "evil.example"}, verify=NO_TLS)
        assert answer.status_code == 400

    eventually(lambda: logged(server, "evil.example"))
    assert not logged(server, "Traceback|exception")


@pytest.mark.parametrize(
    ("sends", "status"),
    [
        (b"", None),
        (b"\r\n", 408),
        (b"GET /v1/tasks HTTP/1.1\r\nHost:", 408),
        (ask("/v1/tasks", "Content-Length: 100", method="POST"), 408),
        (ask("/v1/tasks", "Transfer-Encoding: chunked", method="POST") + b"5\r\n{", 408),
    ],
    ids=["nothing", "blank", "head", "body", "chunk"],
)
def test_a_request_that_does_not_go_on_is_ended(server, sends, status):
    with connected(server, sends) as client:
        if status is None:
            eventually(lambda: is_cut(client))
        else:
            assert answer_to(client)[0] == status


def test_a_body_that_trickles_is_ended_too(server):
    with connected(server, ask("/v1/tasks", "Content-Length: 1000", method="POST")) as client:
        for _ in range(200):
            try:
                client.sendall(b" ")
            except OSError:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("it was read to its end")


def test_many_slow_bodies_take_little_memory_and_nobody_waits_for_them(server):
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    head = ask("/v1/tasks", f"Content-Length: {MIB}", method="POST")
    with ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(connected(server, head))
            client.sendall(b" " * 900 * KIB)

        assert process.memory_info().rss - before < 40 * MIB
        assert health_is_quick(server)


@pytest.mark.parametrize("path", ["/v1/whole", "/v1/streamed"])
def test_readers_that_stand_still_hold_up_nobody_and_are_cut(server, path):
    with ExitStack() as stack:
        readers = [
            stack.enter_context(connected(server, ask(path), buffer=4 * KIB)) for _ in range(16)
        ]
        started = time.monotonic()
        with server.client() as client:
            assert client.get("/v1/tasks").status_code == 200
            assert client.post("/v1/channels", json={}).status_code == 400
        assert time.monotonic() - started < 10

        time.sleep(3)
        eventually(lambda: all(map(is_cut, readers)))


def test_a_reader_that_goes_on_reading_gets_all(server):
    with connected(server, ask("/v1/whole", "Connection: close"), buffer=64 * KIB) as client:
        received = 0
        for _ in range(12):
            received += len(client.recv(64 * KIB))
            time.sleep(0.2)
        while piece := client.recv(MIB):
            received += len(piece)

    assert received > 64 * MIB


def test_a_waiting_claim_is_not_taken_for_a_slow_client(server):
    with server.client() as client:
        client.post("/v1/channels", json={"name": "quiet"})
        claim = {"agent_id": "a", "channel": "quiet", "max_tasks": 1}
        answer = client.post("/v1/tasks/claim", params={"wait_seconds": 4}, json=claim)

    assert answer.json() == {"tasks": []}


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
"""
ROOM = (300 - http_server.OWN_FILES) // http_server.FILES_OF_ONE


def test_connections_beyond_the_files_are_refused_and_those_within_go_on():
    with serving(FEW_FILES) as server, ExitStack() as stack, server.client() as agent:
        agent.post("/v1/channels", json={"name": "open"})
        for _ in range(ROOM):
            stack.enter_context(connected(server))
        beyond = [stack.enter_context(connected(server, ask("/health"))) for _ in range(20)]
        far_beyond = [stack.enter_context(connected(server)) for _ in range(150)]

        status, headers, body = answer_to(beyond[-1])
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body)["error"]["code"] == "unavailable"
        eventually(lambda: all(map(is_cut, far_beyond)))
        claim = {"agent_id": "a", "channel": "open", "max_tasks": 1}
        assert agent.post("/v1/tasks/claim", json=claim).json() == {"tasks": []}

        stack.close()
        eventually(lambda: reachable(server))
        assert not logged(server, "Traceback|exception")


def reachable(server):
    try:
        return httpx.get(f"{server.url}/health", verify=NO_TLS).status_code == 200
    except httpx.TransportError:
        return False


def test_the_soft_limit_of_files_is_raised_to_the_hard_one():
    code = (
        "import resource as r; from coordinator_project.http_server import raise_file_limit;"
        "r.setrlimit(r.RLIMIT_NOFILE, (256, 1024)); raise_file_limit();"
        "print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "coordinator_project.settings"}
    code = f"import django; django.setup(); {code}"

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)

    assert done.stdout == b"(1024, 1024)\n", done.stderr


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ask("/v1/tasks?limit=5"), True),
        (ask("/api/v1/jobs/job-1/results"), True),
        (ask("/v1/chains/01a1"), True),
        (ask("/api/v1/jobs", "Content-Length: 5", method="POST"), True),
        (ask("/api/v1/jobs", "Content-Length: 5", method="POST") + b"{}", True),
        (ask("/v1/dead-letters/purge", method="POST"), True),
        (b"GET /v1/", False),
        (b"GET /v1/agents/\r\n\r\n", False),
        (b"POST /api/v1/jobs HTTP/1.1\r\n", False),
        (ask("/v1/stream"), False),
        (ask("/api/v1/health"), False),
        (ask("/v1/agents/a/current-task"), False),
        (ask("/v1/tasks", method="POST"), False),
        (ask("/health"), False),
        (ask("/v1/tasks") + ask("/v1/tasks"), False),
        (ask("/v1/tasks")[:-2], False),
        (ask("/v1/tasks", f"X: {'x' * handover.LONGEST}"), False),
    ],
)
def test_only_requests_about_many_rows_are_handed_over(data, expected):
    assert handover.is_bulk(data) is expected


def test_a_connection_is_handed_over_with_its_request():
    client, ours = socket.socketpair()
    with client, ours, closing(handover.Handover()) as ways:
        with pytest.raises(BlockingIOError):
            handover.take(ways.taking)
        assert ways.give(ours.fileno(), b"GET")
        ours.close()

        connection, data = handover.take(ways.taking)
        with connection:
            connection.send(b"hello")
            assert (client.recv(10), data) == (b"hello", b"GET")


def test_what_nobody_takes_stays_here():
    client, ours = socket.socketpair()
    with client, ours, closing(handover.Handover()) as ways:
        given = 0
        while ways.give(ours.fileno(), b"x" * handover.LONGEST):
            given += 1
            assert given < 1_000
        ways.taking.close()
        assert not ways.give(ours.fileno(), b"GET")


def test_a_connection_that_has_been_served_may_be_idle_for_as_long_as_agents_pause(server):
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(server, request) as client:
        assert received(client, b'"ok":true').startswith(b"HTTP/1.1 200")
        time.sleep(6)  # longer than a head may take, and than uvicorn waits by itself
        client.sendall(request)
        assert received(client, b'"ok":true').startswith(b"HTTP/1.1 200")

        client.sendall(b"GET /health")
        assert client.recv(KIB).startswith(b"HTTP/1.1 408")


def received(client, what):
    """All that the server sends up to the end of the line that has this in it."""
    whole = b""
    while what not in whole or not whole.endswith(b"\n"):
        whole += client.recv(KIB)
    return whole


@pytest.mark.parametrize("begins", [b"", b"\r\n"])
def test_a_connection_that_asks_for_nothing_is_closed(server, begins):
    with connected(server, begins) as client:
        assert client.recv(KIB)[:12] in {b"", b"HTTP/1.1 408"}
