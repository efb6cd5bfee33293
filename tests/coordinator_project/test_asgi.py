import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from coordinator_project import asgi
from coordinator_project.body import BodyTooLarge, body_of, replay
from coordinator_project.threads import KEPT_AT_MOST, Responder

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
    with ThreadPoolExecutor(2) as pool:
        yield pool


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
    pieces = [bytes([number]) * (KEPT_AT_MOST // 3) for number in range(8)]

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from pieces

    sent = Sent()
    await Responder(app, threads, b"")(scope_of(), client(), sent)

    assert sent.body == b"".join(pieces)
    assert len(sent) > 4
    assert not sent[-1].get("more_body")


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
        ("/health", b"", False),
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


async def test_websockets_on_other_paths_are_closed():
    sent = Sent()

    await asgi.application({"type": "websocket", "path": "/v1/stream"}, client(), sent)

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_django_accepts_no_larger_body():
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == settings.MAX_BODY_BYTES == MIB
