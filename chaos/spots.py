"""SPOTs: agents of /internal/v1, which work on sweeps."""

from chaos.members import Agent, Held, World
from chaos.wire import Answer, Body, Json

V1 = "/internal/v1"


class SpotAgent(Agent):
    """A SPOT as examples/optimizer_worker.py is one: it says hello, claims, works and reports."""

    beats_at = f"{V1}/heartbeat"
    vanishes = 0.01

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.wire.post(f"{V1}/hello", {"spotId": name, "spotInfo": {"host": name}})

    def beat(self) -> Body:
        load: Body = {"cpuLoad": 10, "runningTasks": len(self.held), "totalCores": 2}
        return {"spotId": self.name, "tasks": self.listed("leaseEpoch"), **load}

    def step(self) -> None:
        answer = self.wire.once("POST", f"{V1}/tasks/claim", {"spotId": self.name, "maxTasks": 3})
        tasks = self.take(answer.rows("tasks"), "leaseEpoch") if answer and answer.is_good else []
        if not tasks:
            self.pause(0.3)
        for one in tasks:
            self.work()
            if self.chance.random() < self.vanishes:
                self.vanish(self.chance.uniform(11, 25))
            self.report(one, self.choose())

    def report(self, one: Held, outcome: str) -> None:
        path = f"{V1}/tasks/{one.task_id}"
        me: Body = {"spotId": self.name, "leaseEpoch": one.epoch}
        if outcome == "released":
            answer = self.wire.post(f"{path}/release", me)
            if answer.status not in {404, 405}:  # that it cannot be given back is no fault
                self.ended(one, outcome, verdict(answer))
                return
        if outcome == "done":
            result: Json = {"fopt": float(one.epoch), "resultJson": f"{self.name} {one.epoch}"}
            body: Body = {**me, "runtimeMs": 1, **result}  # type: ignore[dict-item]
            answer = self.wire.post(f"{path}/complete", body)
            self.ended(one, outcome, verdict(answer), result)
        else:
            body = {**me, "error": "by chance", "retriable": outcome != "final"}
            self.ended(one, outcome, verdict(self.wire.post(f"{path}/fail", body)))


def verdict(answer: Answer) -> str:
    """`accepted`, what the coordinator said instead of taking the report, or why it refused it."""
    if answer.is_good:
        return str(answer.body.get("message") or "accepted")
    return str(answer.body.get("error", answer.status))
