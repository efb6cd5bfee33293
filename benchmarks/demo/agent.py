"""An agent: a process that claims tasks over HTTP, does them and reports, until it is told to stop.

Its connection may break at any moment. What it then sends again is safe to repeat: a report that
was taken is known by its lease epoch, and tasks that a lost answer gave it stand in the list of
what it holds. It asks for that list when it starts, after every interruption, and when a claim
brings nothing, since an owner of a chain gets nothing while a step of it is in its hands.
"""

import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.demo import work
from benchmarks.demo.wire import Body, Refused, Unreachable, Wire, inner, number, rows, text

BATCH = 10
LEASE_SECONDS = 60  # longer than a restart of the coordinator: an expired step locks its chain
WAIT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Orders:
    """What an agent is told when it starts. `pause`: how many seconds longer each task takes."""

    url: str
    token: str
    agent_id: str
    channel_id: str
    pause: float


@dataclass(frozen=True, slots=True)
class Word:
    """What an agent tells the one who started it: what is new since the last word."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    interruptions: int = 0


def live(orders: Orders, line: Connection) -> None:
    """The body of a process: works once `line` says so, stops when it says more or breaks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started us says when
    with suppress(BrokenPipeError, ConnectionResetError, EOFError):  # nobody to work for is left
        try:
            Agent(orders, line).work()
        except (Refused, Unreachable) as problem:
            line.send(Word(refused=[str(problem)]))


class Agent:
    """One of the fleet."""

    def __init__(self, orders: Orders, line: Connection) -> None:
        self.orders = orders
        self.me: Body = {"agent_id": orders.agent_id}
        self.wish: Body = {
            "channel_id": orders.channel_id,
            "max_tasks": BATCH,
            "lease_seconds": LEASE_SECONDS,
        }
        self.line = line
        self.wire = Wire(orders.url, orders.token)
        self.told = 0  # interruptions that were told

    def work(self) -> None:
        self.wire.post("/v1/agents/heartbeat", self.me | {"name": self.orders.agent_id})
        self.line.send(Word())
        self.line.recv()
        tasks = self._held()
        while not self.line.poll():
            tasks = self._finish(tasks) if tasks else self._wait()

    def _held(self) -> list[Body]:
        mine = self.wire.pages(
            "/v1/tasks",
            "tasks",
            agent_id=self.orders.agent_id,
            channel_id=self.orders.channel_id,
            status="in_progress",
        )
        return list(mine)

    def _wait(self) -> list[Body]:
        before = self.wire.interruptions
        claim = self.me | self.wish
        given = rows(self.wire.post("/v1/tasks/claim", claim, wait_seconds=WAIT_SECONDS), "tasks")
        return given if given and self.wire.interruptions == before else self._held()

    def _finish(self, tasks: list[Body]) -> list[Body]:
        """Do the tasks, report them, and claim the next with the same request."""
        outcomes = [self._outcome_of(task) for task in tasks]
        leaving = [text(task, "chain_id") for task in tasks if _is_handed_over_after(task)]
        before = self.wire.interruptions
        report = self.me | {"outcomes": [*outcomes]} | ({} if leaving else {"claim": self.wish})
        answer = self.wire.post("/v1/tasks/report", report)
        self._tell(rows(answer, "outcomes"), outcomes)
        for chain_id in leaving:
            self._leave(chain_id)
        return rows(answer, "tasks") if self.wire.interruptions == before else self._held()

    def _outcome_of(self, task: Body) -> Body:
        outcome: Body = {"task_id": task["id"], "lease_epoch": task["lease_epoch"]}
        if self.orders.pause:
            time.sleep(self.orders.pause)
        try:
            result = self._step(task) if text(task, "chain_id") else _read(inner(task, "payload"))
        except ValueError as problem:
            return outcome | {"status": "failed", "reason": str(problem)}
        return outcome | {"status": "done", "result": result}

    def _step(self, task: Body) -> Body:
        """A step builds on the result of the one before, so it must find that one done."""
        chain_id, sequence = text(task, "chain_id"), number(task, "sequence")
        done = self.wire.pages("/v1/tasks", "tasks", chain_id=chain_id, status="done")
        links = {number(row, "sequence"): text(inner(row, "result"), "link") for row in done}
        if sorted(links) != list(range(1, sequence)):
            raise ValueError(f"step {sequence} came when {sorted(links)} were done")
        return {"link": work.link(chain_id, sequence, links.get(sequence - 1, ""))}

    def _tell(self, answers: list[Body], outcomes: list[Body]) -> None:
        """A report that is lost came too late: another has done the task, or will."""
        taken = {
            text(row, "task_id") for row in answers if row["answer"] in {"accepted", "already"}
        }
        done = [text(row, "task_id") for row in outcomes if row["status"] == "done"]
        refused = [text(row, "reason") for row in outcomes if row["status"] != "done"]
        news = self.wire.interruptions - self.told
        self.told = self.wire.interruptions
        self.line.send(Word([task_id for task_id in done if task_id in taken], refused, news))

    def _leave(self, chain_id: str) -> None:
        """Give a chain up between two steps, for whoever comes first."""
        try:
            self.wire.post(f"/v1/chains/{chain_id}/detach", self.me)
        except Refused as refusal:
            if refusal.status != 409:
                raise
            # Sent twice, as the first answer was lost: it is not ours any more.


def _is_handed_over_after(task: Body) -> bool:
    return bool(inner(task, "payload").get("hand_over"))


def _read(payload: Body) -> Body:
    path = Path(text(payload, "path"))
    size = path.stat().st_size
    if size != number(payload, "size"):
        raise ValueError(f"{path} has {size} bytes, not {number(payload, 'size')}")
    return {"sha256": work.digest(path)}
