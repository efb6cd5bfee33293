"""Providers that mean harm, or answer what nobody expects: calls end, in time and in bounds."""

import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from routing import addresses, attempts, calls, wire
from routing.candidates import RouteRequest
from routing.exceptions import CallRefused, NoAnswer
from tests.routing.calling import ask, make_two, results
from tests.routing.making import QUICK, SECRET, make_key, make_model
from tests.routing.test_calls import saying
from tests.routing.test_tls import HERE, certificate

pytestmark = pytest.mark.django_db

MANY = 2 * attempts.LONGEST_ANSWER
PATIENT = calls.Patience(connect=1, answer=5, total=20, rest=0.001)


def in_chunks(exchange, size, piece):
    """Answer endlessly, in chunks of this size as it says; how much the caller takes."""
    exchange.send_response(200)
    exchange.send_header("Transfer-Encoding", "chunked")
    exchange.end_headers()
    sent = 0
    try:
        exchange.wfile.write(size + b"\r\n")
        while sent < 20 * MANY:
            exchange.wfile.write(piece)
            sent += len(piece)
    except OSError:
        exchange.close_connection = True
    return sent


@pytest.mark.parametrize(
    ("size", "piece"),
    [
        (b"-1", b"x" * 65_536),
        (b"-2", b"x" * 65_536),
        (b"f" * 16, b"x" * 65_536),
        (b"1", b"x\r\n1;" + b"x" * 60_000 + b"\r\n"),
    ],
    ids=["all that comes", "less than nothing", "more than there is", "much around little"],
)
def test_an_answer_in_odd_chunks_takes_no_more_memory_than_another(serve, size, piece):
    taken = []
    make_two(serve, lambda exchange, asked: taken.append(in_chunks(exchange, size, piece)))

    assert ask(patience=PATIENT).provider == "good"

    # What has filled the buffers of the sockets was sent, too.
    assert sum(taken) < MANY + 32 * 1024 * 1024
    assert results()[0][1] in {"answer_too_long", "connection"}


def test_an_answer_that_is_deeper_than_json_is_written_is_none(serve):
    deep = b"[" * 500 + b"]" * 500
    make_two(serve, saying(b'{"choices": [{"message": {"content": "x"}, "x": ' + deep + b"}]}"))

    assert ask().provider == "good"

    assert results()[0] == ("bad", "bad_answer", "unknown")


@pytest.mark.parametrize("vector", ['[1, "a"]', "[null]", "[[1]]", "[]", "[true]", '"AAAA"', "{}"])
def test_what_has_other_things_than_numbers_is_no_vector(serve, vector):
    provider = serve(saying(f'{{"data": [{{"embedding": {vector}}}]}}'.encode()))
    make_model("one", "e", url=provider.url, service="embeddings")
    request = RouteRequest(service="embeddings", intent="embeddings")

    with pytest.raises(NoAnswer):
        calls.embed_routed(request, ["a"], patience=QUICK)

    assert results() == [("one", "bad_answer", "unknown")]


@pytest.mark.parametrize("said", [SECRET, SECRET[:12], f"bad-{SECRET}"])
def test_a_refusal_that_repeats_the_key_is_not_passed_on(serve, said):
    provider = serve(lambda exchange, asked: exchange.say_json(400, {"error": {"code": said}}))
    make_model("one", url=provider.url, needs_key=True)
    make_key("one")

    with pytest.raises(CallRefused) as refused:
        ask()

    assert str(refused.value) == "one/m refuses the call with 400."


def post(url, body=b"", *, connect_within=1.0, seconds=1.0):
    deadline = wire.Deadline(seconds)
    address = addresses.parsed(url)
    return wire.post(
        address, "/x", body, {}, connect_within=connect_within, deadline=deadline, longest=1_000
    )


@contextmanager
def reading_slowly(path):
    """A server with TLS that takes a question in small sips; its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    ended = threading.Event()

    def sip():
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as connected:
            while not ended.wait(0.2) and connected.recv(16_384):
                pass

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=sip, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        thread.join()


def test_who_reads_the_question_slowly_has_no_more_time_than_others(tmp_path, monkeypatch):
    """By TLS a body is sent in records, each with the time-out of the socket."""
    path = certificate(tmp_path, HERE)
    trusting = ssl.create_default_context(cafile=str(path))
    monkeypatch.setattr(wire, "_verifying", lambda: trusting)

    with reading_slowly(path) as url:
        begun = time.monotonic()
        with pytest.raises(wire.TimedOut) as cut:
            post(url, b"x" * 8_000_000, seconds=1.5)
        took = time.monotonic() - begun

    assert cut.value.was_sent
    assert took < 6


def test_a_name_with_many_addresses_has_no_more_time_than_one(monkeypatch):
    with ExitStack() as opened:
        full = opened.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # then the queue is full, and others wait for an answer
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        place = (socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [place] * 40)
        begun = time.monotonic()

        with pytest.raises(wire.TimedOut) as cut:
            post("http://models.example.org", connect_within=0.5, seconds=30)

    assert not cut.value.was_sent
    assert time.monotonic() - begun < 5


def test_the_next_address_is_tried_where_the_first_takes_nothing(serve, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()
    open_one = serve().server.server_address
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (closed, open_one)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: places)

    assert post("http://models.example.org", b"{}").status == 200


def test_a_deadline_that_is_over_is_a_time_out(serve):
    provider = serve()

    with pytest.raises(wire.TimedOut) as cut:
        post(provider.url, seconds=0)

    assert not cut.value.was_sent
    assert provider.count == 0
