"""Many SPOTs at once over keep-alive connections, from one lean thread; and the jobs they work on.

Requests are built beforehand where possible, and only the needed part of a response is read.
"""

import select
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import orjson

from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.over_http import Connection, request

JOBS = "/api/v1/jobs"
CLAIM, HELLO = "/internal/v1/tasks/claim", "/internal/v1/hello"
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ACCEPTED = b'{"success":true}'
OUTCOME = (
    b'"runtimeMs":1234,"iter":100,"fopt":0.001,'
    b'"resultJson":"{\\"iter\\":100,\\"fopt\\":0.001,\\"bestPos\\":[0.1,0.2]}"}'
)
PATIENCE = 300.0  # seconds, for a job that is made

# Yields the next request and is sent the response; ends when the SPOT has nothing more to do.
Work = Generator[bytes, bytes, None]


def make_job(coordinator: Coordinator, tasks: int, algorithms: Sequence[str] = ("PSO",)) -> str:
    """A sweep of so many tasks, the same number for each algorithm; its id."""
    one = {"min": 1, "max": 1, "step": 1}
    body = {
        "jarPath": "/bench/optimizer.jar",
        "mainClass": "com.example.Main",
        "algorithms": algorithms,
        "iterations": {"min": 1, "max": tasks // len(algorithms), "step": 1},
        "agents": one,
        "dimension": one,
    }
    job = orjson.loads(coordinator.post(JOBS, body, within=PATIENCE))
    if job["totalTasks"] != tasks:
        raise CoordinatorFailed(f"A job of {tasks} tasks was requested, and {job} was made.")
    return str(job["jobId"])


def hello(spot: str, algorithms: Sequence[str]) -> bytes:
    """The request by which a SPOT offers these algorithms, and nothing else."""
    optimizers = [{"optimizerId": "bench", "algorithms": list(algorithms)}]
    body = {"spotId": spot, "capabilities": {"optimizers": optimizers}}
    return request(HELLO, orjson.dumps(body))


def claim(spot: str, tasks: int) -> bytes:
    return request(CLAIM, orjson.dumps({"spotId": spot, "maxTasks": tasks}))


def claimed(response: bytes) -> list[str]:
    return [task["id"] for task in orjson.loads(response)["tasks"]]


def complete(spot: str, task_id: str) -> bytes:
    path = f"/internal/v1/tasks/{task_id}/complete"
    return request(path, b'{"spotId":"%b",' % spot.encode() + OUTCOME)


def check_accepted(response: bytes) -> None:
    """The outcome was accepted, and not for the second time."""
    if response.strip() != ACCEPTED:
        raise CoordinatorFailed(f"A completion got the response {response.decode()}")


@dataclass
class SpotWorker:
    """One SPOT and the tasks that it has claimed."""

    name: str
    claimed_ids: list[str] = field(default_factory=list)

    def drain(self, batch: int) -> Work:
        """Claim and complete until there is nothing left."""
        while task_ids := claimed((yield claim(self.name, batch))):
            self.claimed_ids += task_ids
            for task_id in task_ids:
                check_accepted((yield complete(self.name, task_id)))

    def take(self, tasks: int, batch: int) -> Work:
        """Claim so many tasks and keep them."""
        target = len(self.claimed_ids) + tasks
        while len(self.claimed_ids) < target:
            task_ids = claimed((yield claim(self.name, min(batch, target - len(self.claimed_ids)))))
            if not task_ids:
                raise CoordinatorFailed("A SPOT got nothing, though tasks are waiting.")
            self.claimed_ids += task_ids

    def finish(self) -> Work:
        """Complete all claimed tasks."""
        for task_id in self.claimed_ids:
            check_accepted((yield complete(self.name, task_id)))


class SpotWorkers:
    """SPOTs that work at once, each over a connection of its own."""

    def __init__(self, coordinator: Coordinator, size: int, name: str = "spot") -> None:
        self.port = coordinator.port
        self.spots = [SpotWorker(f"{name}-{number}") for number in range(size)]

    @property
    def claimed_ids(self) -> list[str]:
        """The tasks of all of them."""
        return [task_id for spot in self.spots for task_id in spot.claimed_ids]

    def each(self, work: Callable[[SpotWorker], Work]) -> float:
        """Let every SPOT do its work, all of them at once; how many seconds it takes."""
        with ExitStack() as stack:
            waiting = stack.enter_context(select.epoll())
            busy: dict[int, tuple[Connection, Work]] = {}
            for spot in self.spots:
                connection = stack.enter_context(closing(Connection(self.port)))
                busy[connection.socket.fileno()] = connection, work(spot)
                waiting.register(connection.socket, select.EPOLLIN)
            started = time.perf_counter()
            for connection, its_work in busy.values():
                connection.send(next(its_work))
            while busy:
                for number, _ in waiting.poll():
                    connection, its_work = busy[number]
                    response = connection.receive()
                    if response is None:
                        continue
                    try:
                        connection.send(its_work.send(response))
                    except StopIteration:
                        waiting.unregister(number)
                        del busy[number]
            return time.perf_counter() - started

    def in_turn(self, work: Callable[[SpotWorker], Work]) -> None:
        """The same, one SPOT after the other."""
        for spot in self.spots:
            with closing(Connection(self.port)) as connection:
                do(connection, work(spot))


def do(connection: Connection, work: Work) -> None:
    """Work to the end, each request after the response to the one before."""
    try:
        following = next(work)
        while True:
            following = work.send(connection.ask(following))
    except StopIteration:
        return
