"""The agents of /v1: one task at a time, batches in one request, chains with keys and waits."""

from chaos.members import LEASE_SECONDS, Agent, Held, World
from chaos.wire import Answer, Body, Json

CLAIM, REPORT = "/v1/tasks/claim", "/v1/tasks/report"
BATCH = 5
WAIT = 2


def error(answer: Answer) -> str:
    return str(answer.inner("error").get("code", answer.status))


class SingleAgent(Agent):
    """Claims one task and reports it, in two requests. It does not repeat a claim: a task of a
    lost answer comes back when its lease ends."""

    channel = "single"
    vanishes = 0.004

    def claim(self) -> Answer | None:
        return self.wire.once("POST", CLAIM, self.request())

    def request(self) -> Body:
        return {
            "agent_id": self.name,
            "channels": [self.channel],
            "lease_seconds": LEASE_SECONDS,
        }

    def step(self) -> None:
        answer = self.claim()
        row = answer.inner("task") if answer and answer.is_good else {}
        rows = [row] if row else answer.rows("tasks") if answer and answer.is_good else []
        mine = [row for row in rows if self.is_mine(row)]
        if not mine:
            self.pause(0.2)
        for one in self.take(mine):
            self.work()
            if self.chance.random() < self.vanishes:
                self.vanish(self.chance.uniform(11, 25))
            self.report(one, self.choose())

    def is_mine(self, row: Body) -> bool:
        """A claim that is repeated with its key shows its tasks as they are now."""
        return row["status"] == "in_progress" and row["assigned_agent_id"] == self.name

    def report(self, one: Held, outcome: str) -> None:
        report: Body = {"task_id": one.task_id, "agent_id": self.name, "lease_epoch": one.epoch}
        if outcome == "released" and self.release(one):
            return
        if outcome in {"done", "released"}:
            result = self.result(one)
            answer = self.wire.post("/v1/tasks/complete", {**report, "result": result})
            verdict = "accepted" if answer.is_good else error(answer)
            self.ended(one, "done", verdict, result)
        else:
            retriable: Body = {"retriable": outcome == "retriable", "reason": "by chance"}
            answer = self.wire.post("/v1/tasks/fail", {**report, **retriable})
            self.ended(one, outcome, "accepted" if answer.is_good else error(answer))

    def release(self, one: Held) -> bool:
        """Give the task back undone; whether that can be done."""
        body: Body = {"agent_id": self.name, "lease_epoch": one.epoch}
        answer = self.wire.post(f"/v1/tasks/{one.task_id}/release", body)
        if answer.status in {404, 405}:
            return False
        self.ended(one, "released", "accepted" if answer.is_good else error(answer))
        return True


class WaitingAgent(SingleAgent):
    """Waits for a task with a key, and repeats the claim until it is answered."""

    channel = "waited-for"

    def claim(self) -> Answer | None:
        key: Body = {"idempotency_key": self.key(), "max_tasks": 2}
        return self.wire.post(CLAIM, {**self.request(), **key}, wait=WAIT)


class ChainAgent(WaitingAgent):
    """Works on chains, waiting with keys; gives some up between two steps."""

    channel = "chains"

    def report(self, one: Held, outcome: str) -> None:
        super().report(one, "done" if outcome == "released" else outcome)
        if self.chance.random() < 0.2:
            self.wire.post(f"/v1/chains/{one.chain_id}/detach", {"agent_id": self.name})


class BatchAgent(Agent):
    """Reports several tasks and claims the next in one request; after a lost answer it reads what
    it holds."""

    channel = "batches"
    vanishes = 0.004

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.doubt = False

    def step(self) -> None:
        tasks = self.look() if self.doubt else list(self.held.values())
        if self.chance.random() < self.vanishes:
            self.vanish(self.chance.uniform(11, 25))
        outcomes = [self.outcome(one) for one in tasks]
        claim: Body = {
            "channels": [self.channel],
            "max_tasks": BATCH,
            "lease_seconds": LEASE_SECONDS,
        }
        body: Body = {"agent_id": self.name, "claim": claim, "outcomes": outcomes}
        answer = self.wire.post(REPORT, body)
        self.doubt = answer.tries > 1
        if not answer.is_good:
            raise AssertionError(f"a report was refused: {answer.body}")
        for one, outcome, row in zip(tasks, outcomes, answer.rows("outcomes"), strict=True):
            kind = str(outcome["status"])
            self.ended(one, kind, str(row["answer"]), outcome.get("result"))
        if not self.take(answer.rows("tasks")):
            self.pause(0.2)

    def outcome(self, one: Held) -> Body:
        self.work()
        report: dict[str, Json] = {"task_id": one.task_id, "lease_epoch": one.epoch}
        if self.choose() == "retriable":
            return report | {"status": "failed", "retriable": True, "reason": "by chance"}
        return report | {"status": "done", "result": self.result(one)}

    def look(self) -> list[Held]:
        path = f"/v1/tasks?agent_id={self.name}&status=in_progress&limit=50"
        answer = self.wire.once("GET", path)
        while not answer or not answer.is_good:
            self.pause(0.3)
            answer = self.wire.once("GET", path)
        self.held.clear()
        return self.take(answer.rows("tasks"))
