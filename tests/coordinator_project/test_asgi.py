import asyncio
import json
import threading

import pytest
from django.conf import settings
from django.db import OperationalError

from coordinator_project import asgi, responder, spool
from coordinator_project.body import BodyTooLarge, body_of, replay
from coordinator_project.responder import Responder
from coordinator_project.spool import MEMORY, Spool
from coordinator_project.threads import Lane, Part, lane_of

MIB = 1024 * 1024


def scope_of(path="/echo", query=b"", headers=(), method="POST"):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8080),
    }


def client(*parts, then="http.disconnect"):
    """A `receive` that returns the parts of a body, and whether more follow."""
    events = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1}
        for place, part in enumerate(parts)
    ]

    async def receive():
        return events.pop(0) if events else {"type": then}

    return receive


async def stays():
    """The `receive` of a client that sends nothing more and does not leave."""
    await asyncio.Event().wait()


class Sent(list):
    async def __call__(self, message):
        self.append(message)

    @property
    def status(self):
        return self[0]["status"]

    @property
    def headers(self):
        return dict(self[0]["headers"])

    @property
    def body(self):
        return b"".join(m.get("body", b"") for m in self[1:])


def echo(environ, start_response):
    """A WSGI application that echoes its environment and body."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


@pytest.fixture
def threads():
    lane = Lane("tests", 2)
    yield lane
    lane.executor.shutdown()


CHUNKED = (b"transfer-encoding", b"chunked")


async def test_a_chunked_body_reaches_wsgi_whole(threads):
    scope, sent = scope_of(headers=[CHUNKED]), Sent()

    body = await body_of(scope, client(b"one ", b"two ", b"three"))
    await Responder(echo, threads, body)(scope, client(), sent)

    assert sent.body == b"one two three"


async def test_the_length_of_a_chunked_body_is_known_to_django():
    scope = scope_of(headers=[CHUNKED])

    await body_of(scope, client(b"four", b"five"))

    assert dict(scope["headers"]) == {b"host": b"localhost", b"content-length": b"8"}


async def test_a_body_of_the_largest_size_passes():
    length = (b"content-length", str(MIB).encode())

    assert len(await body_of(scope_of(headers=[length]), client(b"x" * MIB))) == MIB


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"%d" % (64 * MIB))],
        [(b"content-length", b"%d" % (MIB + 1)), (b"expect", b"100-continue")],
    ],
)
async def test_a_far_too_large_or_expected_body_is_refused_unread(headers):
    async def receive():
        raise AssertionError("read although it was too large")

    with pytest.raises(BodyTooLarge):
        await body_of(scope_of(headers=headers), receive)


async def test_a_client_that_sends_all_first_gets_413_too():
    more = [True, True, False]

    async def receive():
        return {"type": "http.request", "body": b"x" * MIB, "more_body": more.pop(0)}

    with pytest.raises(BodyTooLarge):
        await body_of(scope_of(headers=[(b"content-length", b"%d" % (3 * MIB))]), receive)

    assert not more


async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large():
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"x" * 300_000, "more_body": True}

    with pytest.raises(BodyTooLarge):
        await body_of(scope_of(headers=[CHUNKED]), receive)

    assert len(read) == 4


async def test_413_has_the_form_of_the_api_family():
    sent = Sent()
    headers = [(b"content-length", b"2000000"), (b"x-request-id", b"mine")]

    await asgi.application(scope_of("/v1/tasks", headers=headers), client(), sent)

    assert sent.status == 413
    assert json.loads(sent.body)["error"]["code"] == "payload_too_large"
    assert sent.headers[b"content-type"] == b"application/json; charset=utf-8"
    assert sent.headers[b"x-request-id"] == b"mine"
    assert int(sent.headers[b"content-length"]) == len(sent.body)


async def test_a_client_that_leaves_before_its_body_is_whole_is_not_answered():
    sent = Sent()
    partly = client(b"{", then="http.disconnect")

    async def receive():
        return (await partly()) | {"more_body": True}

    await asgi.application(scope_of("/v1/tasks", headers=[CHUNKED]), receive, sent)

    assert sent == []


async def test_headers_with_an_underscore_do_not_pass_for_those_with_a_dash():
    scope = scope_of(headers=[(b"x_api_key", b"sesame"), (b"x-api-key", b"")])

    await body_of(scope, client())

    assert scope["headers"] == [(b"host", b"localhost"), (b"x-api-key", b"")]


async def test_replay_returns_the_body_and_then_the_client_s_messages():
    receive = replay(b"all", client(then="http.disconnect"))

    assert await receive() == {"type": "http.request", "body": b"all", "more_body": False}
    assert (await receive())["type"] == "http.disconnect"


async def test_an_answer_of_ordinary_size_is_sent_in_two_messages(threads):
    def app(environ, start_response):
        start_response("201 Created", [("X-Thing", "a")])
        return [b"one", b"two"]

    sent = Sent()
    await Responder(app, threads, b"")(scope_of(), client(), sent)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent.status, sent.headers[b"x-thing"], sent.body) == (201, b"a", b"onetwo")
    assert sent[-1]["more_body"] is False


async def test_a_large_answer_is_passed_on_in_pieces_and_in_order(threads):
    pieces = [bytes([number]) * (MEMORY // 3) for number in range(20)]

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from pieces

    sent = Sent()
    await Responder(app, threads, b"")(scope_of(), stays, sent)

    assert sent.body == b"".join(pieces)
    assert len(sent) > 4
    assert not sent[-1].get("more_body")


class Whole(list):
    """An answer as Django's are that do not stream."""

    streaming = False


async def test_a_large_whole_answer_waits_in_a_file_and_not_in_memory(threads):
    content = [bytes([number]) * MEMORY for number in range(40)]

    def app(environ, start_response):
        start_response("200 OK", [])
        return Whole(content)

    class Slow(Sent):
        on_disk = 0

        async def __call__(self, message):
            self.on_disk = max(self.on_disk, spool._files.size)
            await super().__call__(message)

    sent = Slow()
    await Responder(app, threads, b"")(scope_of(), stays, sent)

    assert sent.body == b"".join(content)
    assert sent.on_disk == 40 * MEMORY
    assert max(len(message.get("body", b"")) for message in sent) <= responder.PIECE
    assert spool._files.size == 0


async def test_where_too_much_waits_for_slow_clients_an_answer_is_refused(threads, monkeypatch):
    monkeypatch.setattr(spool, "AT_MOST", MEMORY)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Whole([b"x" * 3 * MEMORY])

    sent = Sent()
    await Responder(app, threads, b"")(scope_of("/v1/tasks"), client(), sent)

    assert (sent.status, sent.headers[b"retry-after"]) == (503, b"1")
    assert json.loads(sent.body)["error"]["code"] == "unavailable"
    assert spool._files.size == 0


async def test_a_thread_waits_for_no_reader():
    """Many readers stand still in the middle of their answers, and one thread serves another."""
    lane = Lane("tests", 1)
    stuck = asyncio.Event()
    sends = []

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from [b"x" * MEMORY] * 4

    async def stands_still(message):
        sends.append(message)
        await stuck.wait()

    readers = [
        asyncio.create_task(Responder(app, lane, b"")(scope_of(), stays, stands_still))
        for _ in range(20)
    ]
    while len(sends) < len(readers):
        await asyncio.sleep(0.01)

    sent = Sent()
    await Responder(echo, lane, b"")(scope_of(), client(), sent)

    assert sent.status == 200
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    lane.executor.shutdown()


async def test_what_nobody_reads_any_more_is_not_made(threads):
    made, closed = [], threading.Event()

    class Answer:
        def __iter__(self):
            for number in range(100):
                made.append(number)
                yield b"x" * MEMORY

        def close(self):
            closed.set()

    def app(environ, start_response):
        start_response("200 OK", [])
        return Answer()

    await Responder(app, threads, b"")(scope_of(), client(), Sent())

    assert await asyncio.to_thread(closed.wait, 5)
    assert len(made) < 10


async def test_an_answer_that_breaks_off_is_cut_and_its_rest_is_closed(threads):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"x" * 3 * MEMORY
        raise OperationalError("the connection is lost")

    sent = Sent()
    await Responder(app, threads, b"")(scope_of(), stays, sent)

    assert sent.status == 200
    assert sent[-1]["more_body"] is True


async def test_an_answer_that_breaks_off_at_once_is_a_problem(threads):
    def app(environ, start_response):
        start_response("200 OK", [])
        raise OperationalError("the connection is lost")
        yield b""

    sent = Sent()
    await Responder(app, threads, b"")(scope_of("/api/v1/jobs"), client(), sent)

    assert sent.status == 503
    assert json.loads(sent.body)["success"] is False


async def test_a_lane_that_is_full_refuses():
    lane, go_on = Lane("tests", 1, most=2), threading.Event()

    def app(environ, start_response):
        go_on.wait(10)
        return echo(environ, start_response)

    def ask():
        return Responder(app, lane, b"")(scope_of("/login"), client(), Sent())

    inside = [asyncio.create_task(ask()) for _ in range(2)]
    await asyncio.sleep(0)
    refused = Sent()
    await Responder(app, lane, b"")(scope_of("/login"), client(), refused)
    go_on.set()
    await asyncio.wait(inside)

    assert (refused.status, refused.headers[b"retry-after"]) == (503, b"1")
    assert lane.inside == 0
    lane.executor.shutdown()


@pytest.mark.parametrize(
    ("lane", "requests"),
    {
        "agents": [
            "POST /v1/tasks/claim",
            "POST /v1/tasks/report",
            "POST /v1/agents/heartbeat",
            "GET /v1/agents/a/current-task",
            "GET /v1/tasks/01a1",
            "POST /internal/v1/heartbeat",
            "POST /v1/events",
        ],
        "bulk": [
            "GET /v1/tasks",
            "GET /v1/agents",
            "GET /v1/dashboard",
            "GET /v1/events",
            "POST /v1/dead-letters/purge",
            "PUT /v1/chains/01a1",
            "POST /api/v1/tokens",
            "GET /api/v1/jobs/job-1/results",
        ],
        "jobs": [
            "POST /api/v1/jobs",
            "POST /api/v1/jobs/job-1/cancel",
            "DELETE /api/v1/jobs/job-1",
        ],
        "people": [
            "GET /",
            "GET /console/overview",
            "POST /console/task/cancel",
            "GET /login",
            "GET /admin/tasks/task/",
            "POST /admin/tasks/task/",
            "GET /static/dashboard/app.js",
        ],
        "sign-ins": [
            "POST /login",
            "POST /password",
            "POST /admin/login/",
            "POST /admin/password_change/",
            "POST /admin/accounts/user/add/",
            "POST /admin/accounts/user/01a1/password/",
        ],
        "details": ["GET /health/details"],
    }.items(),
)
def test_agents_people_and_sign_ins_have_threads_of_their_own(lane, requests):
    for request in requests:
        assert lane_of(*request.split()).name == lane, request


async def test_what_takes_very_long_leaves_a_thread_to_the_rest_of_its_lane():
    lane, go_on = Lane("tests", 2), threading.Event()
    part = Part("a part", lane, 1)
    long = [asyncio.create_task(part.run(go_on.wait)) for _ in range(3)]
    await asyncio.sleep(0)

    assert [await lane.run(lambda: 1) for _ in range(3)] == [1, 1, 1]

    go_on.set()
    assert await asyncio.gather(*long) == [True] * 3
    lane.executor.shutdown()


async def test_a_large_body_that_comes_in_parts_waits_in_a_file(threads):
    parts = [bytes([number]) * (MEMORY // 2) for number in range(8)]
    scope, sent = scope_of(headers=[(b"content-length", b"%d" % (4 * MEMORY))]), Sent()

    body = await body_of(scope, client(*parts))
    assert isinstance(body, Spool)
    assert spool._files.size == body.size == 4 * MEMORY
    await Responder(echo, threads, body)(scope, stays, sent)
    body.close()

    assert sent.body == b"".join(parts)
    assert spool._files.size == 0


async def test_nothing_is_left_of_a_large_body_whose_client_leaves():
    partly = client(b"x" * MEMORY, b"x" * MEMORY, then="http.disconnect")

    async def receive():
        return (await partly()) | {"more_body": True}

    assert await body_of(scope_of(headers=[CHUNKED]), receive) is None
    assert spool._files.size == 0


async def test_health_needs_neither_thread_nor_database(monkeypatch):
    monkeypatch.setattr(asgi, "wsgi_application", None)
    monkeypatch.setattr(asgi, "async_application", None)
    sent = Sent()

    await asgi.application(scope_of("/health", method="GET"), client(), sent)

    assert (sent.status, json.loads(sent.body)["ok"]) == (200, True)
    assert sent.headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(
    ("method", "host", "status", "code"),
    [
        ("POST", b"localhost", 405, "method_not_allowed"),
        ("GET", b"evil.example", 400, "unknown_host"),
        ("GET", b"\xff", 400, "unknown_host"),
        ("GET", b"", 400, "unknown_host"),
    ],
)
async def test_health_refuses_as_before(method, host, status, code):
    scope, sent = scope_of("/health", method=method), Sent()
    scope["headers"] = [(b"host", host)]

    await asgi.application(scope, client(), sent)

    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (status, code)


async def test_the_details_of_health_have_a_bound(monkeypatch):
    go_on = threading.Event()

    def hangs(environ, start_response):
        go_on.wait(10)
        return echo(environ, start_response)

    monkeypatch.setattr(asgi, "wsgi_application", hangs)
    monkeypatch.setattr(asgi, "DETAILS_WITHIN", 0.05)
    sent = Sent()

    await asgi.application(scope_of("/health/details", method="GET"), client(), sent)
    go_on.set()

    assert sent.status == 503


async def test_a_fault_of_the_application_reaches_the_server(threads):
    def app(environ, start_response):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Responder(app, threads, b"")(scope_of(), client(), Sent())


@pytest.mark.parametrize(
    ("path", "query", "waits"),
    [
        ("/v1/tasks/claim", b"wait_seconds=5", True),
        ("/v1/tasks/claim", b"a=1&wait_seconds=5", True),
        ("/v1/tasks/claim", b"", False),
        ("/v1/tasks", b"wait_seconds=5", False),
        ("/v1/stream", b"", True),
        ("/v1/streams", b"", False),
        ("/functions/v1/job-events", b"id=x", True),
        ("/api/collab/events/stream", b"", True),
        ("/api/collab/events/by-job", b"", False),
        ("/health/details", b"", False),
    ],
)
async def test_waiting_requests_run_async_and_all_others_in_threads(
    monkeypatch, path, query, waits
):
    taken = []

    async def async_application(scope, receive, send):
        taken.append((True, scope["path"], await receive()))

    def wsgi(environ, start_response):
        taken.append((False, environ["PATH_INFO"], None))
        return echo(environ, start_response)

    monkeypatch.setattr(asgi, "async_application", async_application)
    monkeypatch.setattr(asgi, "wsgi_application", wsgi)
    length = (b"content-length", b"2")

    await asgi.application(scope_of(path, query, [length]), client(b"{}"), Sent())

    assert taken[0][0] is waits
    rewritten = path == "/v1/tasks/claim" and waits
    assert taken[0][1] == ("/v1/tasks/claim/wait" if rewritten else path)
    if waits:
        assert taken[0][2]["body"] == b"{}"


async def test_it_lives_as_long_as_the_server():
    received = asyncio.Queue()
    sent = Sent()
    life = asyncio.create_task(asgi.application({"type": "lifespan"}, received.get, sent))

    await received.put({"type": "lifespan.startup"})
    await received.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(life, 5)

    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


WEBSOCKET = {"type": "websocket", "scheme": "ws", "query_string": b"", "headers": []}


async def test_websockets_on_other_paths_are_closed():
    sent = Sent()

    await asgi.application(WEBSOCKET | {"path": "/v1/stream"}, client(), sent)

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_django_accepts_no_larger_body():
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == settings.MAX_BODY_BYTES == MIB
