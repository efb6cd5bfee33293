"""Those who make work and those who steer it."""

from chaos.members import Member
from chaos.wire import Answer, Body, Json

FULL = 40  # queued tasks of a channel, so that claims always find some and the run stays small
PAUSE = 0.25


class Producer(Member):
    """Makes tasks, chains and sweeps while there are few of them; repeats with keys."""

    def step(self) -> None:
        if not self.world.resting.is_set():
            for channel in ("single", "waited-for", "batches"):
                if self.has_room(channel):
                    self.make_tasks(channel)
            self.make_chain()
            self.make_sweep()
        self.pause(PAUSE)

    def has_room(self, channel: str) -> bool:
        path = f"/v1/tasks?status=queued&channel_id={self.world.channels[channel]}&limit={FULL}"
        answer = self.wire.once("GET", path)
        return bool(answer and answer.is_good and len(answer.rows("tasks")) < FULL)

    def make_tasks(self, channel: str) -> None:
        number = self.chance.choice([1, 1, 4, 10])
        tasks = [self.task(channel) for _ in range(number)]
        answer = self.wire.post("/v1/tasks", tasks[0] if number == 1 else tasks)  # type: ignore[arg-type]
        rows = [answer.inner("task")] if number == 1 else answer.rows("tasks")
        self.keep(answer, tasks, rows)

    def task(self, channel: str) -> dict[str, Json]:
        pause = self.chance.choice([0, 0, 1])
        key = self.key()
        return {
            "channel": channel,
            "title": f"task {key}",
            "idempotency_key": key,
            "priority": self.chance.choice([0, 0, 0, 5]),
            "retry_delay_seconds": pause,
            "payload": {"key": key},
        }

    def keep(self, answer: Answer, tasks: list[dict[str, Json]], rows: list[Body]) -> None:
        """Write down what was acknowledged."""
        if not answer.is_good:
            raise AssertionError(f"tasks were refused: {answer.body}")
        for task, row in zip(tasks, rows, strict=True):
            self.log.write("enqueued", task=row["id"], key=task["idempotency_key"])

    def make_chain(self) -> None:
        if not self.has_room("chains"):
            return
        # Not repeated: that could make it twice. One without steps is nobody's loss.
        stops = self.chance.choice(["continue", "stop"])
        body: Body = {"channel_id": self.world.channels["chains"], "name": self.key()}
        made = self.wire.once("POST", "/v1/chains", {**body, "on_failure": stops})
        if made and made.is_good:
            chain_id = made.inner("chain")["id"]
            steps = [self.task("chains") | {"chain_id": chain_id} for _ in range(4)]
            for step in steps:
                step["priority"] = 0
            answer = self.wire.post("/v1/tasks", steps)  # type: ignore[arg-type]
            self.keep(answer, steps, answer.rows("tasks"))

    def make_sweep(self) -> None:
        if not self.has_room("sweeps"):
            return
        one = {"min": 1, "max": 1, "step": 1}
        body: Body = {
            "jarPath": "/opt/optimizer.jar",
            "mainClass": "com.example.Main",
            "algorithms": ["PSO", "GA"],
            "iterations": {"min": 1, "max": self.chance.randint(3, 8), "step": 1},
            "agents": one,
            "dimension": one,
            "idempotencyKey": self.key(),
        }
        made = self.wire.post("/api/v1/jobs", body)
        if not made.is_good:
            raise AssertionError(f"a sweep was refused: {made.body}")
        self.log.write("swept", job=made.body["jobId"], total=made.body["totalTasks"])


class Operator(Member):
    """Cancels some tasks and sweeps, requeues what failed, unlocks what is locked."""

    def step(self) -> None:
        self.pause(PAUSE)
        verb = self.chance.choices(
            [self.unlock, self.requeue, self.cancel, self.cancel_sweep], [8, 3, 2, 1]
        )[0]
        verb()

    def some(self, query: str) -> list[str]:
        answer = self.wire.once("GET", f"/v1/tasks?{query}&limit=20")
        rows = answer.rows("tasks") if answer and answer.is_good else []
        ids = [str(row["id"]) for row in rows]
        return self.chance.sample(ids, min(3, len(ids)))

    def unlock(self) -> None:
        for task_id in self.some("status=locked"):
            status = self.chance.choice(["queued", "queued", "done"])
            self.wire.once("POST", f"/v1/tasks/{task_id}/status", {"status": status})

    def requeue(self) -> None:
        for task_id in self.some("status=failed"):
            self.wire.once("POST", f"/v1/tasks/{task_id}/requeue", {"reason": "by chance"})

    def cancel(self) -> None:
        status = self.chance.choice(["queued", "in_progress"])
        for task_id in self.some(f"status={status}")[:1]:
            path = f"/v1/tasks/{task_id}/cancel"
            force = self.chance.random() < 0.3
            answer = self.wire.once("POST", path, {"reason": "by chance", "force": force})
            if answer and answer.is_good and answer.inner("task")["status"] == "cancelled":
                self.log.write("cancelled", task=task_id)

    def cancel_sweep(self) -> None:
        answer = self.wire.once("GET", "/api/v1/jobs?status=RUNNING&limit=3")
        jobs = answer.rows("jobs") if answer and answer.is_good else []
        if jobs and self.chance.random() < 0.3:
            path = f"/api/v1/jobs/{self.chance.choice(jobs)['jobId']}/cancel"
            self.wire.once("POST", path, {"reason": "by chance"})
