"""Slow readers and sign-ins beside agents: what claims, heartbeats and health take meanwhile."""

import http.client
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urlencode

import orjson
import psycopg

from benchmarks import machine, over_http, queue
from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.over_http import Connection, claim_request, claimed, request
from benchmarks.results import Finding, Section, TimeRatio, finding_heads, percentile, time_heads
from benchmarks.run import Run
from benchmarks.sweeps import workers

AGENTS = 4
READERS, SIGN_INS = 500, 64
READS = 1024  # bytes a second of each slow reader
BUFFER = 4096  # bytes of its socket, so that little fits between it and the server
HEALTH_EVERY = 0.05  # seconds
PATIENCE = 30.0  # seconds of somebody who signs in
HEALTHY = 100.0  # milliseconds
AT_MOST = 2.0  # times as long as without them
HEARTBEAT = "/v1/agents/heartbeat"


@dataclass
class Times:
    """In milliseconds."""

    claims: list[float] = field(default_factory=list)
    heartbeats: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)


def measure(run: Run) -> list[Section]:
    """The agents alone, then beside the readers and the sign-ins."""
    results = 1_000 if run.quick else 20_000
    readers, sign_ins = (30, 4) if run.quick else (READERS, SIGN_INS)
    seconds = 1.0 if run.quick else max(10.0, run.seconds)
    with run.coordinator("slow") as (coordinator, db):
        paths = _fill(coordinator, db, results)
        work(coordinator, min(seconds, 2.0))  # caches and connections to the database are ready
        alone = work(coordinator, seconds)
        crowd = Crowd(coordinator.port)
        with crowd.running(paths, readers, sign_ins):
            beside = work(coordinator, seconds)
            megabytes = machine.peak_megabytes(coordinator.server, [coordinator.postgres])
    ratios = [
        _ratio("claim", alone.claims, beside.claims),
        _ratio("heartbeat", alone.heartbeats, beside.heartbeats),
    ]
    late = percentile(sorted(beside.health), 1.0)
    findings = [
        Finding("health beside them, at most", f"{late:.0f} ms", "< 100 ms", late >= HEALTHY),
        Finding("- alone, at most", f"{max(alone.health):.0f} ms"),
        Finding("a sign-in beside them", f"{_median(crowd.signed_in):.0f} ms, {crowd.summary()}"),
        Finding("the largest process", f"{megabytes:.0f} MB"),
    ]
    heads = time_heads(f"{readers} slow readers, {sign_ins} sign-ins at once", "alone", "beside")
    return [Section(heads, ratios), Section(finding_heads("and meanwhile"), findings)]


def _ratio(name: str, alone: Sequence[float], beside: Sequence[float]) -> TimeRatio:
    return TimeRatio(f"{name}, median", median(alone), median(beside), AT_MOST)


def _median(times: Sequence[float]) -> float:
    return median(times) if times else float("nan")


def _fill(coordinator: Coordinator, db: psycopg.Connection, results: int) -> list[str]:
    """A list of several megabytes, a long export and the streams; and tasks for the agents."""
    channel = coordinator.open_channel(queue.CHANNEL)
    side = coordinator.open_channel("slow-list")
    payload = {"payload": "jsonb_build_object('text', repeat('x', 20000))"}
    queue.insert(db, 200, channel_id=f"'{side}'::uuid", queue_at=queue.queue_at(200), **payload)
    job = workers.make_job(coordinator, results, ["PSO"])
    db.execute(
        "UPDATE tasks_task SET status = 'done', finished_at = now(), lease_epoch = 1,"
        " result = jsonb_build_object('fopt', 0.5, 'resultJson', repeat('x', 300))"
        " WHERE job_id IS NOT NULL"
    )
    queue.insert(db, 50_000, channel_id=f"'{channel}'::uuid", queue_at=queue.queue_at(50_000))
    db.execute("VACUUM (ANALYZE) tasks_task")
    return [
        f"/v1/tasks?channel_id={side}&limit=200",
        f"/api/v1/jobs/{job}/results",
        "/v1/stream",
    ]


def work(coordinator: Coordinator, seconds: float) -> Times:
    """Some agents claim, complete and beat by turns for so long; somebody asks for health."""
    with ExitStack() as stack:
        agents = {
            f"slow-{number}": stack.enter_context(closing(Connection(coordinator.port)))
            for number in range(AGENTS)
        }
        times = Times()
        until = time.perf_counter() + seconds
        health_at = 0.0
        while (now := time.perf_counter()) < until:
            for name, connection in agents.items():
                _one_turn(name, connection, times)
            if now >= health_at:
                times.health.append(_ask_for_health(coordinator.port))
                health_at = now + HEALTH_EVERY
    return times


def _one_turn(name: str, connection: Connection, times: Times) -> None:
    started = time.perf_counter()
    [task] = claimed(connection.ask(claim_request(name)), 1)
    times.claims.append((time.perf_counter() - started) * 1000)
    outcome = {"task_id": task.task_id, "agent_id": name, "lease_epoch": task.epoch}
    connection.ask(request(over_http.COMPLETE, orjson.dumps(outcome)))
    started = time.perf_counter()
    connection.ask(request(HEARTBEAT, orjson.dumps({"agent_id": name})))
    times.heartbeats.append((time.perf_counter() - started) * 1000)


def _ask_for_health(port: int) -> float:
    started = time.perf_counter()
    with closing(Connection(port)) as connection:
        connection.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return (time.perf_counter() - started) * 1000


class Crowd:
    """The readers and the people, in a thread of their own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stopped = threading.Event()
        self.people: set[http.client.HTTPConnection] = set()
        self.readers: list[socket.socket] = []
        self.signed_in: list[float] = []
        self.refused = 0
        self.cut = 0

    @contextmanager
    def running(self, paths: Sequence[str], readers: int, sign_ins: int) -> Iterator[None]:
        """All of them, until the block ends; when it begins, the readers have asked."""
        with ExitStack() as stack:
            form = self._form()
            for number in range(readers):
                self.readers.append(stack.enter_context(self._reader(paths[number % len(paths)])))
            people = [
                threading.Thread(target=self._sign_in_again_and_again, args=[form])
                for _ in range(sign_ins)
            ]
            threads = [threading.Thread(target=self._read_slowly), *people]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self.stopped.set()
                for connection in list(self.people):
                    connection.close()
                for thread in threads:
                    thread.join()

    def summary(self) -> str:
        return (
            f"{len(self.signed_in)} of them, {self.refused} asked to come again, "
            f"{self.cut} readers cut"
        )

    def _reader(self, path: str) -> socket.socket:
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        reader.connect(("127.0.0.1", self.port))
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reader.setblocking(False)
        return reader

    def _read_slowly(self) -> None:
        with selectors.DefaultSelector() as selector:
            for reader in self.readers:
                selector.register(reader, selectors.EVENT_READ)
            while not self.stopped.wait(1.0):
                for key, _ in selector.select(0):
                    self._read(key.fileobj, selector)

    def _read(self, reader: object, selector: selectors.BaseSelector) -> None:
        if not isinstance(reader, socket.socket):
            return
        try:
            piece = reader.recv(READS)
        except OSError:
            piece = b""
        if not piece:
            self.cut += 1
            selector.unregister(reader)
        elif piece.startswith(b"HTTP/1.1 ") and not piece.startswith(b"HTTP/1.1 200"):
            raise CoordinatorFailed(f"A reader was answered {piece.decode()}")

    def _form(self) -> bytes:
        """A sign-in with a wrong password, which costs as much as one with the right one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", "/login")
            cookies = connection.getresponse().getheader("Set-Cookie") or ""
        token = cookies.partition("csrftoken=")[2].partition(";")[0]
        fields = {"username": "admin", "password": "wrong", "csrfmiddlewaretoken": token}
        return urlencode(fields).encode()

    def _sign_in_again_and_again(self, form: bytes) -> None:
        token = form.rpartition(b"=")[2].decode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"csrftoken={token}",
        }
        while not self.stopped.is_set():
            started = time.perf_counter()
            status = self._sign_in(form, headers)
            if status == 200:
                self.signed_in.append((time.perf_counter() - started) * 1000)
            elif status == 503:
                self.refused += 1
                self.stopped.wait(1.0)
            elif not self.stopped.is_set():
                raise CoordinatorFailed(f"A sign-in was answered {status}.")

    def _sign_in(self, form: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; 0 if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.people.add(connection)
        try:
            connection.request("POST", "/login", form, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return 0  # closed at the end
        finally:
            self.people.discard(connection)
            connection.close()
