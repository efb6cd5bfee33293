"""Claims that wait: how long after the start of an enqueue request a waiting agent has the task."""

import select
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

import orjson

from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.over_http import CLAIM, COMPLETE, Connection, request
from benchmarks.results import Finding, Section, finding_heads, percentile
from benchmarks.run import Run

PATIENCE = 10.0  # seconds for what is still on its way at the end
AT_MOST_LATE = 80.0  # milliseconds, for the 99th percentile
ENQUEUE = "/v1/tasks"


@dataclass(frozen=True)
class WaitingSize:
    """How many agents wait, how many tasks a second come, and the target: milliseconds at most
    until the median task is there."""

    agents: int
    rate: int
    at_most: float


SIZES = (WaitingSize(20, 20, 15.0), WaitingSize(200, 50, 25.0))


def measure(run: Run) -> list[Section]:
    """The times for each number of agents, each in a channel of its own."""
    findings = []
    with run.coordinator("waiting") as (coordinator, _):
        for size in SIZES:
            with closing(WaitingAgents(coordinator, size)) as agents:
                agents.work(1.0 if run.quick else 2.0)  # connections and caches are ready
                times = agents.work(1.0 if run.quick else 15.0)
            late = percentile(times, 0.99)
            name = f"{size.agents} agents wait, {size.rate} tasks a second"
            run.say(f"  {name}: median {median(times):.1f} ms, 99th percentile {late:.1f} ms")
            findings += [
                Finding(
                    f"{name}, median",
                    f"{median(times):.1f} ms",
                    f"< {size.at_most:.0f} ms",
                    median(times) >= size.at_most,
                ),
                Finding(
                    "- 99th percentile",
                    f"{late:.1f} ms, at most {times[-1]:.1f} ms",
                    f"< {AT_MOST_LATE:.0f} ms",
                    late >= AT_MOST_LATE,
                ),
            ]
    return [Section(finding_heads("claims that wait"), findings)]


class WaitingAgents:
    """The agents, and connections for those who enqueue, all in one thread."""

    def __init__(self, coordinator: Coordinator, size: WaitingSize) -> None:
        self.size = size
        self.channel = f"bench-{size.agents}"
        coordinator.open_channel(self.channel)
        self.port = coordinator.port
        self.stack = ExitStack()
        self.epoll = self.stack.enter_context(select.epoll())
        self.idle: list[Connection] = []
        self.agents: dict[int, tuple[str, Connection]] = {}
        self.enqueuers: dict[int, Connection] = {}
        self.number = 0
        self.started: dict[str, float] = {}
        self.times: list[float] = []
        for number in range(size.agents):
            agent, connection = f"waiting-{number}", self._connect()
            self.agents[connection.socket.fileno()] = agent, connection
            connection.send(self._claim(agent))
        self._turn(1.0)

    def close(self) -> None:
        self.stack.close()

    def work(self, seconds: float) -> list[float]:
        """Enqueue at the given rate; in milliseconds, ascending, when each task was there."""
        self.times = []
        begun = time.perf_counter()
        for number in range(int(seconds * self.size.rate)):
            self._turn(begun + number / self.size.rate - time.perf_counter())
            self._enqueue()
        deadline = time.perf_counter() + PATIENCE
        while self.started and (left := deadline - time.perf_counter()) > 0:
            self._turn(min(left, 0.05))
        if self.started:
            raise CoordinatorFailed(f"{len(self.started)} tasks have not come to a waiting agent.")
        return sorted(self.times)

    def _connect(self) -> Connection:
        connection = self.stack.enter_context(closing(Connection(self.port)))
        self.epoll.register(connection.socket, select.EPOLLIN)
        return connection

    def _claim(self, agent: str) -> bytes:
        body = {"agent_id": agent, "channel": self.channel, "max_tasks": 1}
        return request(f"{CLAIM}?wait_seconds=30", orjson.dumps(body))

    def _enqueue(self) -> None:
        if not self.idle:
            connection = self._connect()
            self.enqueuers[connection.socket.fileno()] = connection
            self.idle.append(connection)
        self.number += 1
        title = str(self.number)
        body = request(ENQUEUE, orjson.dumps({"channel": self.channel, "title": title}))
        self.started[title] = time.perf_counter()
        self.idle.pop().send(body)

    def _turn(self, seconds: float) -> None:
        """Handle what arrives for so many seconds."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            for number, _ in self.epoll.poll(left):
                if number in self.agents:
                    self._agent_got(*self.agents[number])
                elif self.enqueuers[number] in self.idle:
                    self._drop(self.enqueuers.pop(number))
                elif self.enqueuers[number].receive() is not None:
                    self.idle.append(self.enqueuers[number])

    def _drop(self, connection: Connection) -> None:
        """Leave a connection that the server closes, as nobody has used it for some seconds."""
        self.idle.remove(connection)
        self.epoll.unregister(connection.socket)
        connection.close()

    def _agent_got(self, agent: str, connection: Connection) -> None:
        response = connection.receive()
        now = time.perf_counter()
        if response is None:
            return
        tasks = orjson.loads(response).get("tasks")
        for task in tasks or ():  # no list at all: the response to a completion
            self.times.append((now - self.started.pop(task["title"])) * 1000)
            done = {
                "task_id": task["id"],
                "agent_id": agent,
                "lease_epoch": task["lease_epoch"],
                "result": {},
            }
            connection.send(request(COMPLETE, orjson.dumps(done)))
        if not tasks:
            connection.send(self._claim(agent))
