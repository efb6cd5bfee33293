"""Those who only look: at the stream, at the health, and whether work can be done."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import orjson

from chaos.members import Member, World
from chaos.wire import Body

SILENT_FOR = 20.0  # seconds without even a ping after which a client opens the stream again
SHORT = 2.0
LEFT_OVER = 5


class StreamWatcher(Member):
    """Follows /v1/stream; after every break it goes on with the last id that it saw."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.over = world.unwatched
        self.connection: http.client.HTTPConnection | None = None
        self.cursor = ""  # of the last whole frame
        self.coming = ""

    def step(self) -> None:
        port = self.chance.choice([*self.world.ports])
        self.log.write("opened", cursor=int(self.cursor or 0), port=port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENT_FOR)
        self.connection = connection
        headers = {"Authorization": f"Bearer {self.world.token}"}
        if self.cursor:
            headers["Last-Event-ID"] = self.cursor
        try:
            connection.request("GET", "/v1/stream", headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                for line in self.lines(response):
                    self.see(line)
        except (OSError, http.client.HTTPException) as problem:
            self.log.write("broke", why=str(problem) or type(problem).__name__)
        finally:
            connection.close()
        self.pause(0.5)

    def hang_up(self) -> None:
        """End the open stream from another thread."""
        if self.connection and self.connection.sock:
            with suppress(OSError):
                self.connection.sock.shutdown(socket.SHUT_RDWR)

    def lines(self, response: http.client.HTTPResponse) -> Iterator[str]:
        while not self.over.is_set() and (line := response.readline()):
            yield line.decode().rstrip("\n")

    def see(self, line: str) -> None:
        """Take a line as browsers do: an id counts once its frame has ended."""
        field, _, value = line.partition(": ")
        if field == "id":
            self.coming = value
        elif field == "data":
            data = orjson.loads(value)
            if data.get("type") == "tasks":
                self.log.write("told", cursor=int(self.coming), ids=data.get("ids"))
        elif not line and self.coming and self.coming != self.cursor:
            self.log.write("passed" if self.cursor else "hello", cursor=int(self.coming))
            self.cursor = self.coming


class HealthWatcher(Member):
    """Asks one coordinator whether it is there, four times a second."""

    def __init__(self, world: World, name: str, port: int) -> None:
        super().__init__(world, name)
        self.wire.ports = [port]

    def step(self) -> None:
        began = time.monotonic()
        answer = self.wire.once("GET", "/health")
        took = time.monotonic() - began
        status = answer.status if answer else 0
        self.log.write("health", status=status, milliseconds=round(took * 1000, 1))
        self.pause(0.25)


class Prober(Member):
    """Enqueues, claims and completes at one coordinator, over and over, without patience.

    `well` is when it last began something that then went all the way.
    """

    def __init__(self, world: World, name: str, port: int) -> None:
        super().__init__(world, name)
        self.wire.ports = [port]
        self.well = 0.0

    def step(self) -> None:
        began = time.time()
        if self.works():
            self.well = began
            self.log.write("well", began=began)
            for _ in range(LEFT_OVER):  # tasks of cycles that broke off
                if not self.finish():
                    break
            self.pause(0.25)
        else:
            self.pause(0.1)

    def works(self) -> bool:
        key = self.key()
        task: Body = {"channel": self.name, "title": key, "idempotency_key": key}
        made = self.ask("/v1/tasks", task)
        if not made:
            return False
        self.log.write("enqueued", task=made["id"], key=key)
        return self.finish()

    def finish(self) -> bool:
        return self.report("complete", {"result": {"by": self.name}})

    def report(self, verb: str, more: Body) -> bool:
        """Claim a task and report it."""
        claim: Body = {"agent_id": self.name, "channels": [self.name], "lease_seconds": 5}
        row = self.ask("/v1/tasks/claim", claim)
        if not row:
            return False
        self.log.write("given", task=row["id"], epoch=row["lease_epoch"])
        body: Body = {"task_id": row["id"], "lease_epoch": row["lease_epoch"], **more}
        if not self.ask(f"/v1/tasks/{verb}", {**body, "agent_id": self.name}):
            return False
        outcome = "done" if verb == "complete" else "retriable"
        kept = {"task": row["id"], "epoch": row["lease_epoch"], "outcome": outcome}
        self.log.write("ended", **kept, verdict="accepted", result=more.get("result"))
        return True

    def ask(self, path: str, body: Body) -> Body | None:
        """The task in the answer, if there is a good one in time."""
        answer = self.wire.once("POST", path, body, timeout=SHORT)
        return answer.inner("task") if answer and answer.is_good else None


class LoopProber(Prober):
    """Does the same with a task that fails once and is to be tried again after a pause, which only
    the maintenance loop ends."""

    def works(self) -> bool:
        key = self.key()
        task: Body = {"channel": self.name, "title": key, "idempotency_key": key}
        made = self.ask("/v1/tasks", {**task, "max_attempts": 1000, "retry_delay_seconds": 1})
        if not made:
            return False
        self.log.write("enqueued", task=made["id"], key=key)
        if not self.report("fail", {"retriable": True, "reason": "once"}):
            return False
        for _ in range(20):
            self.pause(0.2)
            if self.finish():
                return True
        return False
