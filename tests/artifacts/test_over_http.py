"""Uploads, downloads and followed logs of a real server, by clients that behave and others."""

import hashlib
import http.client
import json
import os
import socket
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import psutil
import pytest
from django.db import connection
from django.db.models.functions import Now

from artifacts.models import Artifact, LogBatch, Removal
from tests.accounts.tokens import of_person
from tests.artifacts.calls import entry, files_in, sha256
from tests.artifacts.test_logs import finish
from tests.coordinator_project.running import eventually
from tests.factories import make_channel, make_held_task, make_tasks
from tests.serving import TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024 * 1024
LARGE = 96 * MIB
MAY_GROW = 40 * MIB
KNOWN = f"Authorization: Bearer {TOKEN}\r\n"


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "objects"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker, objects):
    limits = {"COORDINATOR_ARTIFACT_MAX_BYTES": str(2 * LARGE)}
    with (
        django_db_blocker.unblock(),
        serving("", OBJECT_STORE_BASE_PATH=str(objects), **limits) as server,
    ):
        yield server


class Runner:
    """An agent that talks to the server."""

    def __init__(self, server):
        self.server = server
        self.task = make_held_task()
        self.path = f"/v1/tasks/{self.task.pk}"
        self.me = {"agent_id": self.task.agent_id, "lease_epoch": self.task.lease_epoch}

    def ask(self, method, path, content=None, **headers):
        """Status, headers and body of the answer."""
        known = {"Authorization": f"Bearer {TOKEN}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = self.connection()
        try:
            chunked = "Transfer-Encoding" in named
            client.request(method, self.path + path, content, known | named, encode_chunked=chunked)
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            client.close()

    def connection(self):
        host, port = self.server.listening.getsockname()
        return http.client.HTTPConnection(host, port, timeout=60)

    def address(self, name):
        query = "&".join(f"{key}={value}" for key, value in self.me.items())
        return f"/artifacts/{name}?{query}"

    def put(self, name, content, digest=None):
        return self.ask(
            "PUT", self.address(name), content, X_Content_SHA256=digest or sha256(content)
        )

    def send(self, sequence, *messages):
        lines = [entry(message) for message in messages]
        body = {**self.me, "stream": "stdout", "sequence": sequence, "entries": lines}
        status, _, _ = self.ask("POST", "/logs", json.dumps(body))
        assert status == 200

    def begin(self, name, length, *first, digest="0" * 64, asks_first=False):
        """A connection that has sent the head of an upload, and the first parts of it.

        Without a length it comes in chunks.
        """
        client = socket.create_connection(self.server.listening.getsockname(), timeout=30)
        head = f"PUT {self.path}{self.address(name)} HTTP/1.1\r\nHost: localhost\r\n{KNOWN}"
        head += f"X-Content-SHA256: {digest}\r\n"
        head += (
            "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
        )
        head += "Expect: 100-continue\r\n\r\n" if asks_first else "\r\n"
        client.sendall(head.encode() + b"".join(first))
        return client


@pytest.fixture
def runner(server):
    return Runner(server)


def status_of(client):
    """The status of an answer, which is read to its end."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    answer.read()
    return answer.status


def chunks(content, number):
    for _ in range(number):
        yield content


def growth(server, call):
    """By how much the server's memory grows at most during the call, and what that returns."""
    process = psutil.Process(server.process.pid)
    before = peak = process.memory_info().rss
    over = threading.Event()

    def look():
        nonlocal peak
        while not over.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        return peak - before if (found := call()) is None else (found, peak - before)
    finally:
        over.set()
        looking.join()


def test_a_large_file_goes_in_and_out_with_flat_memory_while_claims_go_on(server, runner, objects):
    channel = make_channel()
    make_tasks(200, channel=channel)
    piece = os.urandom(MIB)
    digest = hashlib.sha256()
    for part in chunks(piece, LARGE // MIB):
        digest.update(part)
    runner.put("warm", piece)

    over, slowest = threading.Event(), []

    def claim():
        with server.client() as client:
            while not over.is_set():
                began = time.monotonic()
                body = {"agent_id": "claims", "channel_id": str(channel.pk), "max_tasks": 1}
                assert client.post("/v1/tasks/claim", json=body).status_code == 200
                slowest.append(time.monotonic() - began)

    def put():
        headers = {"X_Content_SHA256": digest.hexdigest(), "Content_Length": str(LARGE)}
        return runner.ask("PUT", runner.address("large"), chunks(piece, LARGE // MIB), **headers)[0]

    def get():
        status, _, content = runner.ask("GET", "/artifacts/large")
        return status, hashlib.sha256(content).hexdigest()

    claiming = threading.Thread(target=claim)
    claiming.start()
    try:
        put_status, grown = growth(server, put)
        found, grown_by_get = growth(server, get)
    finally:
        over.set()
        claiming.join()

    assert put_status == 201
    assert found == (200, digest.hexdigest())
    assert max(grown, grown_by_get) < MAY_GROW
    assert len(slowest) > 10
    assert max(slowest) < 2


def test_an_upload_without_a_length_passes_too(runner):
    status, _, _ = runner.ask(
        "PUT",
        runner.address("chunked"),
        chunks(b"x" * 1000, 2000),
        X_Content_SHA256=sha256(b"x" * 2_000_000),
        Transfer_Encoding="chunked",
    )

    assert status == 201
    assert Artifact.objects.get().size == 2_000_000


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server, runner, objects):
    with ExitStack() as stack:
        for n in range(20):
            client = stack.enter_context(runner.begin(f"half-{n}", LARGE, b"x" * MIB))
        eventually(lambda: Removal.objects.count() == 20)
        assert runner.put("beside", b"content")[0] == 201  # no thread waits for any of them
        client.close()
    eventually(lambda: Removal.objects.filter(due_at__lte=Now()).count() == 20)
    eventually(lambda: len(files_in(objects)) == len(Artifact.objects.all()) + kept_before(objects))

    assert list(Artifact.objects.values_list("path", flat=True)) == ["beside"]


def kept_before(objects):
    """The files of other tests, whose rows are gone."""
    keys = set(Artifact.objects.values_list("key", flat=True))
    return len([name for name in files_in(objects) if name not in keys and "~" not in name])


@pytest.mark.parametrize("sent", [b"", b"x" * MIB])
def test_what_is_too_large_is_refused_before_it_has_come(runner, sent):
    with runner.begin("huge", 3 * LARGE, sent) as client:
        assert client.recv(12) == b"HTTP/1.1 413"
    assert not Removal.objects.exists()


def test_a_wrong_digest_is_400_and_the_connection_goes_on(runner):
    with runner.begin("a", 4, b"four") as client:
        assert status_of(client) == 400
        client.sendall(f"GET /health HTTP/1.1\r\nHost: localhost\r\n{KNOWN}\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
    assert not Artifact.objects.exists()


def test_who_sends_a_large_file_again_may_send_all_of_it(runner):
    content = b"x" * 20 * MIB
    assert runner.put("a", content)[0] == 201

    with runner.begin("a", len(content), digest=sha256(content)) as client:
        client.sendall(content)
        assert status_of(client) == 200
        client.sendall(f"GET /health HTTP/1.1\r\nHost: localhost\r\n{KNOWN}\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"


def endless(client, seconds=60):
    """Sends parts of a body until the connection has ended; how many bytes went out."""
    part, sent = b"%x\r\n%b\r\n" % (64 * 1024, b"x" * 64 * 1024), 0
    until = time.monotonic() + seconds
    with suppress(ConnectionError, TimeoutError):
        while time.monotonic() < until:
            sent += client.send(part)
    return sent


@pytest.mark.parametrize("digest", ["0" * 64, "none"])
def test_a_refused_body_without_an_end_is_cut_and_the_refusal_is_seen(server, runner, digest):
    runner.me["lease_epoch"] = 99
    with runner.begin("endless", None, digest=digest) as client:
        began = time.monotonic()
        sending = threading.Thread(target=endless, args=[client])
        sending.start()
        answer = client.recv(65536)
        sending.join()

    assert time.monotonic() - began < 40
    assert answer.startswith((b"HTTP/1.1 409", b"HTTP/1.1 400"))
    assert b"connection: close" in answer.lower()


def test_a_refused_client_that_sends_slowly_for_ever_is_cut(runner):
    quick = "from api import uploads; uploads.PASSED_OVER_WITHIN = 0.5"
    with serving(quick) as impatient:
        other = Runner(impatient)
        other.me["lease_epoch"] = 99
        with other.begin("slow", None) as client:
            answer = b""
            client.settimeout(0.05)
            until = time.monotonic() + 15
            with suppress(ConnectionError):
                while time.monotonic() < until:
                    client.sendall(b"1\r\nx\r\n")
                    with suppress(TimeoutError):
                        answer += (part := client.recv(65536))
                        if not part:
                            break
            assert time.monotonic() < until

    assert answer.startswith(b"HTTP/1.1 409")


def test_a_known_file_is_passed_over_no_further_than_its_size(runner):
    content = b"x" * 18 * MIB
    assert runner.put("a", content)[0] == 201

    with runner.begin("a", None, digest=sha256(content)) as client:
        sending = threading.Thread(target=endless, args=[client])
        sending.start()
        answer = client.recv(65536)
        sending.join()

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()


def test_who_asks_first_sends_nothing_in_vain(runner):
    runner.put("a", b"content")
    for name, digest, status in (("a", sha256(b"content"), b"200"), ("b/../c", "0" * 64, b"400")):
        with runner.begin(name, 7, digest=digest, asks_first=True) as client:
            assert client.recv(12) == b"HTTP/1.1 " + status
    with runner.begin("b", 7, digest=sha256(b"content"), asks_first=True) as client:
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"content")
        assert client.recv(12) == b"HTTP/1.1 201"


def test_who_may_not_put_is_refused_unread(runner):
    with runner.begin("a", LARGE) as client:
        pass
    runner.me["lease_epoch"] = 99
    with runner.begin("a", LARGE, b"x" * MIB) as client:
        assert client.recv(12) == b"HTTP/1.1 409"


@pytest.mark.parametrize(
    "path", ["..%2f..%2fa", "%2e%2e/a", "a/%2e%2e/%2e%2e/b", "a%00", "%2fetc%2fpasswd", "a%5cb"]
)
def test_no_path_leads_out(runner, path, objects):
    before = files_in(objects) if objects.exists() else []
    for method, content in (("PUT", b"x"), ("GET", None)):
        status, _, _ = runner.ask(
            method, runner.address(path), content, X_Content_SHA256=sha256(b"x")
        )
        assert status in {400, 404}, (method, path)
    assert (files_in(objects) if objects.exists() else []) == before


def test_slow_readers_hold_up_nobody(server, runner):
    runner.put("large", b"x" * 16 * MIB)
    request = f"GET {runner.path}/artifacts/large HTTP/1.1\r\nHost: localhost\r\n{KNOWN}\r\n"
    with ExitStack() as stack:
        for _ in range(40):
            client = socket.create_connection(server.listening.getsockname(), timeout=30)
            stack.enter_context(client)
            client.sendall(request.encode())
            assert client.recv(12) == b"HTTP/1.1 200"

        began = time.monotonic()
        assert runner.ask("GET", "/artifacts/large", Range="bytes=-5")[2] == b"xxxxx"
        assert runner.put("b", b"content")[0] == 201
        assert time.monotonic() - began < 5


def test_the_archive_is_made_while_it_is_read(server, runner, tmp_path):
    runner.put("a/large", b"x" * 40 * MIB)
    runner.put("b", b"content")

    def get():
        return runner.ask("GET", "/artifacts.zip")[2]

    content, grown = growth(server, get)
    (tmp_path / "a.zip").write_bytes(content)

    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/large", "b"]
    assert grown < MAY_GROW


class Follower:
    """Reads server-sent events."""

    def __init__(self, runner, last="", query="follow=1", headers=None):
        self.connection = runner.connection()
        headers = headers or {"Authorization": f"Bearer {TOKEN}"}
        headers |= {"Last-Event-ID": last} if last else {}
        self.connection.request("GET", f"{runner.path}/logs?{query}", headers=headers)
        self.answer = self.connection.getresponse()
        self.is_open = self.answer.headers["Content-Type"] == "text/event-stream"
        self.last, self.ended = "", False

    def next(self, number=1):
        """The messages of so many events."""
        assert self.is_open
        found = []
        while len(found) < number:
            line = self.answer.readline().decode().rstrip("\n")
            if line.startswith("id: "):
                self.last = line[4:]
            elif line == "event: end":
                self.ended = True
                return found
            elif line.startswith("data: "):
                found.append(json.loads(line[6:])["message"])
        return found

    def close(self):
        self.answer.close()
        self.connection.close()


def test_a_log_is_followed_while_it_is_written_and_until_the_task_has_ended(runner):
    follower = Follower(runner)
    for n in range(1, 4):
        runner.send(n, f"{n} a", f"{n} b")
        assert follower.next(2) == [f"{n} a", f"{n} b"]
    middle = follower.last
    runner.send(4, "last")
    finish(runner)

    assert follower.next(2) == ["last"]
    assert follower.ended
    assert follower.answer.read() == b"data: {}\n\n"
    follower.close()
    resumed = Follower(runner, middle)
    assert resumed.next(2) == ["last"]
    assert resumed.ended
    resumed.close()


def test_many_follow_and_none_misses_a_line(runner):
    followers = [Follower(runner) for _ in range(30)]
    lines = [f"line {n}" for n in range(60)]

    def write():
        for n, line in enumerate(lines, 1):
            runner.send(n, line)
        finish(runner)
        connection.close()

    writing = threading.Thread(target=write)
    writing.start()
    found = [follower.next(len(lines) + 1) for follower in followers]
    writing.join()

    assert all(one == lines for one in found)
    for follower in followers:
        follower.close()


def test_who_follows_is_sent_something_even_when_nothing_happens(server, runner, monkeypatch):
    ping = "from artifacts import log_answers; log_answers.PING_AFTER = 0.2"
    with serving(ping) as quick:
        other = Runner(quick)
        follower = Follower(other)
        assert follower.answer.readline() == b"retry: 2000\n"
        follower.answer.readline()
        assert follower.answer.readline() == b": ping\n"
        follower.close()


def test_one_caller_cannot_take_all_streams():
    somebody = {"Authorization": f"Bearer {of_person('Operator', 'operator').secret}"}
    limits = {"COORDINATOR_MAX_STREAMS_OF_ONE": "3", "COORDINATOR_MAX_STREAMS": "5"}
    with serving(**limits) as small, ExitStack() as stack:
        runner = Runner(small)

        def follow(headers=None):
            return stack.enter_context(closing(Follower(runner, headers=headers)))

        with ThreadPoolExecutor(8) as pool:  # all at the same moment
            streams = list(pool.map(lambda _: follow(), range(8)))
        refused = [one for one in streams if not one.is_open]
        assert [one.answer.status for one in refused] == [429] * 5
        assert refused[0].answer.headers["Retry-After"] == "5"
        assert json.loads(refused[0].answer.read())["error"]["code"] == "too_many_requests"
        assert [follow(somebody).answer.status for _ in range(3)] == [200, 200, 503]
        next(one for one in streams if one.is_open).close()
        eventually(lambda: follow().is_open)


def test_a_server_that_stops_ends_who_follows(server, runner):
    with serving() as stopping:
        follower = Follower(Runner(stopping))
        follower.answer.readline()
        began = time.monotonic()
        stopping.stop()
        assert time.monotonic() - began < 4
        assert b"event: end" not in follower.answer.read()
        follower.close()


def test_a_followed_task_that_is_deleted_ends(runner):
    follower = Follower(runner)
    runner.send(1, "one")
    assert follower.next() == ["one"]
    runner.task.delete()

    assert follower.next() == []
    assert follower.ended
    follower.close()


def test_all_of_a_long_log_is_read_by_pages_with_flat_memory(server, runner):
    sent = 0
    line = "x" * 200
    for n in range(1, 41):
        messages = [f"{n} {k} {line}" for k in range(2_000)]
        sent += len(messages)
        runner.send(n, *messages)
    assert LogBatch.objects.count() == 40

    def pages():
        cursor, found = "", []
        while True:
            _, headers, content = runner.ask("GET", f"/logs?limit=5000&cursor={cursor}")
            lines = json.loads(content)
            found += [one["message"].split(" ")[:2] for one in lines]
            cursor = headers["X-Next-Cursor"]
            if not lines:
                return found

    found, grown = growth(server, pages)

    assert found == [[str(n), str(k)] for n in range(1, 41) for k in range(2_000)]
    assert grown < MAY_GROW
    whole, grown = growth(server, lambda: runner.ask("GET", "/logs?format=text")[2])
    assert whole.count(b"\n") == sent
    assert grown < MAY_GROW
