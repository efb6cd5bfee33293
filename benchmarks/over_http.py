"""The work over HTTP: a few keep-alive connections in one thread, each an agent of its own.

The client shares the machine's cores with the server, so it is made by hand: it waits for all
sockets at once, builds requests from bytes and reads only what the next request needs.
"""

import select
import socket
import time
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import orjson

from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.machine import Meter
from benchmarks.queue import CHANNEL, RESULT
from benchmarks.results import AGENTS, Speed

CLAIM, COMPLETE, REPORT = "/v1/tasks/claim", "/v1/tasks/complete", "/v1/tasks/report"
RECEIVE = 256 * 1024


class HeldTask(NamedTuple):
    """A task that an agent has claimed: what it has to name in its report."""

    task_id: str
    epoch: int


# Yields the next request and is sent the response; yields None at the end of each cycle.
Work = Generator[bytes | None, bytes, None]


class Connection:
    """One keep-alive connection; one request at a time is on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The body of the response; None while a part of it is still on its way."""
        piece = self.socket.recv(RECEIVE)
        if not piece:
            raise CoordinatorFailed("The server has closed a connection.")
        self.buffer += piece
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return None
        if not head.startswith(b"HTTP/1.1 20"):
            raise CoordinatorFailed(f"The server responds {self.buffer.decode()}")
        self.buffer = b""
        return body

    def close(self) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> bytes:
        """Send, and wait for the body of the response."""
        self.send(request)
        while (body := self.receive()) is None:
            pass
        return body


def _length(head: bytes) -> int:
    start = head.lower().index(b"content-length:") + len(b"content-length:")
    end = head.find(b"\r\n", start)
    return int(head[start:] if end < 0 else head[start:end])


def request(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def claim_request(agent: str, *, max_tasks: int = 1) -> bytes:
    claim = {"agent_id": agent, "channel": CHANNEL, "max_tasks": max_tasks}
    return request(CLAIM, orjson.dumps(claim))


def claimed(response: bytes, batch: int) -> list[HeldTask]:
    """The tasks that a claim got: a whole batch, or the measurement is worth nothing."""
    tasks = orjson.loads(response)["tasks"]
    if len(tasks) != batch:
        raise CoordinatorFailed(f"A claim got {len(tasks)} tasks instead of {batch}.")
    return [HeldTask(task["id"], task["lease_epoch"]) for task in tasks]


def outcomes(tasks: Sequence[HeldTask]) -> str:
    return ",".join(
        f'{{"task_id":"{task_id}","status":"done","lease_epoch":{epoch},"result":{RESULT}}}'
        for task_id, epoch in tasks
    )


def two_requests(agent: str, batch: int) -> Work:
    """Claim one task, complete it; `batch` is one."""
    claim = claim_request(agent)
    while True:
        task_id, epoch = claimed((yield claim), batch)[0]
        body = (
            f'{{"task_id":"{task_id}","agent_id":"{agent}",'
            f'"lease_epoch":{epoch},"result":{RESULT}}}'
        )
        yield request(COMPLETE, body.encode())
        yield None


def reports(agent: str, batch: int) -> Work:
    """Claim once; from then on report all held tasks and claim the next in one request."""
    tail = f'],"claim":{{"channel":"{CHANNEL}","max_tasks":{batch}}}}}'
    response = yield claim_request(agent, max_tasks=batch)
    while True:
        tasks = claimed(response, batch)
        body = f'{{"agent_id":"{agent}","outcomes":[{outcomes(tasks)}{tail}'
        response = yield request(REPORT, body.encode())
        if response.count(b'"accepted"') != batch:
            raise CoordinatorFailed(f"Not every outcome was accepted: {response.decode()}")
        yield None


def cycles(
    coordinator: Coordinator, seconds: float, batch: int, work: Callable[[str, int], Work]
) -> Speed:
    """Let the agents work for some seconds; how fast it went."""
    agents = [work(f"http-{number}", batch) for number in range(AGENTS)]
    connections = [Connection(coordinator.port) for _ in agents]
    waiting = select.epoll()
    for number, connection in enumerate(connections):
        waiting.register(connection.socket, select.EPOLLIN)
        # The first claim is part of no cycle: an agent starts with its task.
        body = connection.ask(next(agents[number]) or b"")
        connection.send(agents[number].send(body) or b"")
    by_socket = {
        connection.socket.fileno(): (connection, agent)
        for connection, agent in zip(connections, agents, strict=True)
    }
    meter = Meter(coordinator.processes)
    ended, on_the_way = 0, len(agents)
    meter.start()
    started = now = time.perf_counter()
    while on_the_way:
        for number, _ in waiting.poll():
            connection, agent = by_socket[number]
            response = connection.receive()
            if response is None:
                continue
            following = agent.send(response)
            if following is None:
                ended += 1
                following = next(agent)
            now = time.perf_counter()
            if now - started < seconds:
                connection.send(following or b"")
            else:
                on_the_way -= 1
    shares = meter.stop()
    waiting.close()
    for connection in connections:
        connection.close()
    return Speed(ended, now - started, batch, shares)
