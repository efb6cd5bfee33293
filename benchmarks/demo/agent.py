"""An agent: a process that claims tasks over HTTP, does them and reports, until it has to stop.

Its connection may break at any moment. Its requests are safe to repeat: a report that was
accepted is known by its lease epoch, and tasks of a claim whose response was lost are in the list
of the tasks that it holds. It gets that list when it starts, after every interruption, and when a
claim brings nothing, since the owner of a chain gets nothing while it holds a step of the chain.
"""

import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.demo import work
from benchmarks.demo.wire import (
    Body,
    CoordinatorUnreachable,
    RequestRefused,
    Wire,
    inner,
    number,
    rows,
    text,
)

BATCH = 10
LEASE_SECONDS = 60  # longer than a restart of the coordinator: an expired step locks its chain
WAIT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Settings of an agent. `pause`: how many seconds longer each task takes."""

    url: str
    token: str
    agent_id: str
    channel_id: str
    pause: float


@dataclass(frozen=True, slots=True)
class AgentNews:
    """An agent's report to the process that started it: what is new since the last one."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    interruptions: int = 0


def live(settings: AgentSettings, pipe: Connection) -> None:
    """The body of a process: works after the first message on `pipe`, stops at the second or
    when it breaks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    with suppress(BrokenPipeError, ConnectionResetError, EOFError):  # the parent is gone
        try:
            DemoAgent(settings, pipe).work()
        except (RequestRefused, CoordinatorUnreachable) as problem:
            pipe.send(AgentNews(refused=[str(problem)]))


class DemoAgent:
    """One of the fleet."""

    def __init__(self, settings: AgentSettings, pipe: Connection) -> None:
        self.settings = settings
        self.me: Body = {"agent_id": settings.agent_id}
        self.claim: Body = {
            "channel_id": settings.channel_id,
            "max_tasks": BATCH,
            "lease_seconds": LEASE_SECONDS,
        }
        self.pipe = pipe
        self.wire = Wire(settings.url, settings.token)
        self.reported = 0  # interruptions that are in earlier news

    def work(self) -> None:
        self.wire.post("/v1/agents/heartbeat", self.me | {"name": self.settings.agent_id})
        self.pipe.send(AgentNews())
        self.pipe.recv()
        tasks = self._held()
        while not self.pipe.poll():
            tasks = self._finish(tasks) if tasks else self._wait()

    def _held(self) -> list[Body]:
        mine = self.wire.pages(
            "/v1/tasks",
            "tasks",
            agent_id=self.settings.agent_id,
            channel_id=self.settings.channel_id,
            status="in_progress",
        )
        return list(mine)

    def _wait(self) -> list[Body]:
        before = self.wire.interruptions
        claim = self.me | self.claim
        claimed = rows(self.wire.post("/v1/tasks/claim", claim, wait_seconds=WAIT_SECONDS), "tasks")
        return claimed if claimed and self.wire.interruptions == before else self._held()

    def _finish(self, tasks: list[Body]) -> list[Body]:
        """Do the tasks, report them, and claim the next with the same request."""
        outcomes = [self._outcome_of(task) for task in tasks]
        leaving = [text(task, "chain_id") for task in tasks if _is_handed_over_after(task)]
        before = self.wire.interruptions
        report = self.me | {"outcomes": [*outcomes]} | ({} if leaving else {"claim": self.claim})
        response = self.wire.post("/v1/tasks/report", report)
        self._send_news(rows(response, "outcomes"), outcomes)
        for chain_id in leaving:
            self._leave(chain_id)
        return rows(response, "tasks") if self.wire.interruptions == before else self._held()

    def _outcome_of(self, task: Body) -> Body:
        outcome: Body = {"task_id": task["id"], "lease_epoch": task["lease_epoch"]}
        if self.settings.pause:
            time.sleep(self.settings.pause)
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

    def _send_news(self, answers: list[Body], outcomes: list[Body]) -> None:
        """An outcome that is "lost" came too late: another has done the task, or will."""
        taken = {
            text(row, "task_id") for row in answers if row["answer"] in {"accepted", "already"}
        }
        done = [text(row, "task_id") for row in outcomes if row["status"] == "done"]
        refused = [text(row, "reason") for row in outcomes if row["status"] != "done"]
        news = self.wire.interruptions - self.reported
        self.reported = self.wire.interruptions
        self.pipe.send(AgentNews([task_id for task_id in done if task_id in taken], refused, news))

    def _leave(self, chain_id: str) -> None:
        """Give a chain up between two steps, for the agent that comes first."""
        try:
            self.wire.post(f"/v1/chains/{chain_id}/detach", self.me)
        except RequestRefused as refusal:
            if refusal.status != 409:
                raise
            # Sent twice, as the first response was lost: the chain is not ours any more.


def _is_handed_over_after(task: Body) -> bool:
    return bool(inner(task, "payload").get("hand_over"))


def _read(payload: Body) -> Body:
    path = Path(text(payload, "path"))
    size = path.stat().st_size
    if size != number(payload, "size"):
        raise ValueError(f"{path} has {size} bytes, not {number(payload, 'size')}")
    return {"sha256": work.digest(path)}
