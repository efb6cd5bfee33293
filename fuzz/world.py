"""The coordinator that is fuzzed, its people and their tokens, and rows of every kind."""

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import httpx
import psycopg

from chaos.servers import Postgres, Server, StartFailed
from fuzz.roles import Role

Json: TypeAlias = "str | int | float | bool | list[Json] | Mapping[str, Json] | None"
Body: TypeAlias = Mapping[str, Json]

RULES = {
    "COORDINATOR_PROCESSES": "1",
    # Anybody may register, so that this is tried too.
    "COORDINATOR_REGISTRATION": "operator",
    # Refusals of those who ask too often would hide all others. They have tests of their own.
    "COORDINATOR_SIGN_IN_FAILURES": "0",
    **{
        f"COORDINATOR_RATE_{scope}": "off"
        for scope in (
            *("CLAIM", "REPORT", "HEARTBEAT", "CHANGE", "READ", "ANONYMOUS", "SIGN_IN"),
            *("FUNCTION_READ", "FUNCTION_SIGN", "FUNCTION_OPS", "FUNCTION_KEYS"),
        )
    },
    # Nobody is lost during a run, so that what has changed was changed by a request.
    "COORDINATOR_SPOT_LOST_SECONDS": "86400",
    "COORDINATOR_AGENT_LOST_SECONDS": "86400",
    "ORHESTRA_TASK_TIMEOUT_SECONDS": "86400",
    "COORDINATOR_TASK_REAPER_SECONDS": "86400",
    # What the loop indexes was changed by no request.
    "COORDINATOR_SEARCH_ROOTS": "off",
    "COORDINATOR_SEARCH_TASKS": "0",
}
PASSWORD = "Fuzzed-1"  # noqa: S105 (of people who are gone with the run)
SWEEPS = "sweeps"  # the channel of all jobs
RANGE: Body = {"min": 1, "max": 1, "step": 1}
FOLDED_WITHIN = 30.0

Known: TypeAlias = Mapping[str, list[str]]
"""Ids and names of rows that there are, by kind."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The id of a user or of an agent, and the value of the header that says so."""

    me: str
    credential: str


@dataclass
class World:
    """A coordinator on a folder of its own."""

    folder: Path
    shared: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    admin_id: str = field(default_factory=lambda: str(uuid4()))
    server: Server | None = None
    settings: Mapping[str, str] | None = None
    tokens: dict[str, str] = field(default_factory=dict)  # secrets by their ids
    ordinal: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def alive(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self.server is not None:
                self.server.stop()

    def serve(self, settings: Mapping[str, str]) -> None:
        """Start the coordinator, anew where its settings become others."""
        if settings == self.settings:
            return
        if self.server is not None:
            self.server.stop()
        own = {"COORDINATOR_AUTH_TOKEN": self.shared, "DEFAULT_USER_ID": self.admin_id}
        log = self.folder / "server.log"
        self.server = Server("fuzzed", self.folder / "data", log, {**RULES, **own, **settings})
        self.settings = settings
        self.server.start()
        self.server.wait_until_serving()

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def url(self) -> str:
        if self.server is None:
            raise StartFailed("The coordinator has not been started.")
        return f"http://127.0.0.1:{self.server.port}"

    def connect(self) -> psycopg.Connection:
        return Postgres(self.folder / "data").connect()

    @contextmanager
    def client(self) -> Iterator["Client"]:
        with httpx.Client(base_url=self.url, timeout=30) as http:
            yield Client(http, {"Authorization": f"Bearer {self.shared}", **self._key()})

    def _key(self) -> Mapping[str, str]:
        key = (self.settings or {}).get("ORHESTRA_AGENT_KEY")
        return {"X-Orhestra-Key": key} if key else {}

    def schema(self) -> Mapping[str, object]:
        with self.client() as client:
            return client.get("/api/schema/?format=json")

    def caller(self, role: Role) -> Caller:
        """Somebody of this role."""
        if role.settings:
            return Caller("", next(iter(role.settings.values())))
        if not role.token and not role.agent:
            return Caller("", "")
        with self.client() as client:
            me = role.agent
            wanted: Body = {"agent_id": role.agent}
            if role.token:
                me = self._user(client, role) if role.registers else self.admin_id
                wanted = {"user_id": me, "role": role.token, "scopes": [*role.scopes]}
            made = client.post("/api/v1/tokens", {"name": f"fuzz {role.name}", **wanted})
        secret = str(made["token"])
        self.tokens[str(made["token_id"])] = secret
        return Caller(me, f"Bearer {secret}")

    def _user(self, client: "Client", role: Role) -> str:
        person = {"username": f"fuzz-{role.name}-{next(self.ordinal)}", "password": PASSWORD}
        user = client.post("/v1/auth/register", person)["user"]
        if not isinstance(user, Mapping):
            raise StartFailed(f"Nobody was registered: {user}")
        return str(user["id"])

    def stock(self, agent: str = "") -> Known:
        """Make rows of every kind and in every state, some of them of this agent.

        Waits until all jobs have counted.
        """
        with self.client() as client:
            number = next(self.ordinal)
            known = Stock(client, number, agent or f"agent {number}").fill()
        deadline = time.monotonic() + FOLDED_WITHIN
        with self.connect() as connection:
            while connection.execute("SELECT 1 FROM jobs_tally LIMIT 1").fetchone():
                if time.monotonic() > deadline:
                    raise StartFailed("The loop does not fold what jobs have counted.")
                time.sleep(0.1)
        return known

    def hidden(self, text: str) -> str:
        """The text without a secret of this run."""
        for secret in (self.shared, *self.tokens.values()):
            text = text.replace(secret, "…")
        return text


@dataclass
class Client:
    """Requests that must succeed."""

    http: httpx.Client
    headers: Mapping[str, str]

    def get(self, path: str) -> Mapping[str, Json]:
        return self._checked(self.http.get(path, headers=self.headers))

    def post(self, path: str, body: Body | list[Body]) -> Mapping[str, Json]:
        return self._checked(self.http.post(path, headers=self.headers, json=body))

    def put(self, path: str, content: bytes, *, agent_id: str) -> Mapping[str, Json]:
        """Send a file of a task in its first lease."""
        digest = {"X-Content-SHA256": hashlib.sha256(content).hexdigest()}
        query = {"agent_id": agent_id, "lease_epoch": "1"}
        headers = {**self.headers, **digest}
        return self._checked(self.http.put(path, params=query, content=content, headers=headers))

    def _checked(self, answer: httpx.Response) -> Mapping[str, Json]:
        if not answer.is_success:
            request = answer.request
            raise StartFailed(f"{request.method} {request.url}: {answer.status_code} {answer.text}")
        body: Mapping[str, Json] = answer.json()
        return body


@dataclass
class Stock:
    """Rows that requests can be about; `number` keeps those of one pass from those of another."""

    client: Client
    number: int
    agent: str

    def __post_init__(self) -> None:
        self.other, self.spot = f"other agent {self.number}", f"spot {self.number}"

    def fill(self) -> Known:
        name = f"channel {self.number}"
        channel = self._id("/v1/channels", {"name": name}, "channel")
        queued, held, others, done, failed, cancelled = self._tasks(channel, name)
        chains, steps = self._chains(channel, name)
        job, of_job = self._sweep()
        command, of_command = self._command()
        collab = self._collab(name)
        self._talk(held)
        return {
            "tasks": [
                *(queued, held, others, done, failed, cancelled, of_command),
                *(*steps, *of_job, *collab),
            ],
            "channels": [channel],
            "channel_names": [name],
            "chains": chains,
            "agents": [self.agent, self.other, self.spot],
            "spots": [self.agent, self.spot],
            "jobs": [job, command],
            "tokens": [self._token() for _ in range(3)],
            "epochs": ["1", "2"],
            "verbs": self._verbs(),
            "letters": self._letters(),
            "objects": [self._file(held)],
            "keys": [self._key(place) for place in range(2)],
        }

    def _key(self, place: int) -> str:
        """The id of a key of the vault."""
        name = f"key {self.number}.{place}"
        body: Body = {"provider": "fuzzed", "name": name, "value": "a secret"}
        return str(self.client.post("/functions/v1/key-vault/upsert", body)["key_id"])

    def _letters(self) -> list[str]:
        rows = self.client.get("/functions/v1/dlq-list")["items"]
        letters = rows if isinstance(rows, list) else []
        return [str(row["id"]) for row in letters if isinstance(row, Mapping)]

    def _file(self, held: str) -> str:
        """The path of a file of a task that the agent holds, as an object of the bucket."""
        self.client.put(f"/v1/tasks/{held}/artifacts/log.txt", b"fuzzed", agent_id=self.agent)
        return f"{held}/log.txt"

    def _verbs(self) -> list[str]:
        """The names of what people may do in the console."""
        kinds = self.client.get("/console/verbs").values()
        rows = [row for kind in kinds if isinstance(kind, list) for row in kind]
        return sorted({str(row["name"]) for row in rows if isinstance(row, Mapping)})

    def _id(self, path: str, body: Body, kind: str) -> str:
        row = self.client.post(path, body)[kind]
        if not isinstance(row, Mapping):
            raise StartFailed(f"{path} made no {kind}: {row}")
        return str(row["id"])

    def _task(self, channel: str, **more: Json) -> str:
        body: Body = {"channel_id": channel, "title": "to be fuzzed", **more}
        return self._id("/v1/tasks", body, "task")

    def _claim(self, agent: str, channel: str) -> str:
        return self._id("/v1/tasks/claim", {"agent_id": agent, "channel": channel}, "task")

    def _tasks(self, channel: str, name: str) -> list[str]:
        """One queued, two in progress, one done, a dead letter and one cancelled, in this order."""
        for _ in range(4):
            self._task(channel)
        done, failed = self._claim(self.other, name), self._claim(self.other, name)
        me: Body = {"agent_id": self.other}
        self.client.post("/v1/tasks/complete", {**me, "task_id": done, "result": {"fine": True}})
        self.client.post("/v1/tasks/fail", {**me, "task_id": failed, "reason": "for good"})
        held, others = self._claim(self.agent, name), self._claim(self.other, name)
        cancelled = self._task(channel)
        self.client.post(f"/v1/tasks/{cancelled}/cancel", {"reason": "to be there"})
        return [self._task(channel), held, others, done, failed, cancelled]

    def _chains(self, channel: str, name: str) -> tuple[list[str], list[str]]:
        """A chain that is locked, one that another agent owns, and one of nobody."""
        chains, steps = [], []
        for place in range(3):
            body: Body = {"channel_id": channel, "name": f"chain {place}"}
            chains.append(self._id("/v1/chains", body, "chain"))
            steps += [self._task(channel, chain_id=chains[-1], priority=9) for _ in range(2)]
        owners = [f"owner {self.number}.{place}" for place in range(2)]
        for owner in owners:
            self._claim(owner, name)
        self.client.post(f"/v1/chains/{chains[0]}/detach", {"agent_id": owners[0]})
        return chains, steps

    def _sweep(self) -> tuple[str, list[str]]:
        """A job of four tasks; a SPOT has done one, failed one, and holds one."""
        sweep: Body = {
            "jarPath": "/opt/optimizer.jar",
            "mainClass": "com.example.Main",
            "algorithms": ["PSO"],
            "iterations": {"min": 1, "max": 4, "step": 1},
            "agents": RANGE,
            "dimension": RANGE,
        }
        job = str(self.client.post("/api/v1/jobs", sweep)["jobId"])
        # Somebody may have paused it in the pass before.
        channel = self.client.get(f"/v1/channels/by-name/{SWEEPS}")["channel"]
        if isinstance(channel, Mapping):
            self.client.post(f"/v1/channels/{channel['id']}/resume", {})
        self.client.post("/internal/v1/hello", {"spotId": self.spot})
        me: Body = {"spotId": self.spot}
        claimed = self.client.post("/internal/v1/tasks/claim", {**me, "maxTasks": 3})["tasks"]
        if not isinstance(claimed, list) or not claimed:
            raise StartFailed(f"The SPOT got no tasks: {claimed}")
        ids = [str(task["taskId"]) for task in claimed if isinstance(task, Mapping)]
        result: Body = {**me, "runtimeMs": 5, "iter": 1, "fopt": 0.5}
        self.client.post(f"/internal/v1/tasks/{ids[0]}/complete", result)
        failure: Body = {**me, "error": "for good", "retriable": False}
        self.client.post(f"/internal/v1/tasks/{ids[1]}/fail", failure)
        return job, ids

    def _command(self) -> tuple[str, str]:
        """A command that the agent runs."""
        body: Body = {
            "name": "to be fuzzed",
            "source_type": "none",
            "job_command": "true",
            "queue_name": f"queue-{self.number}",
            "job_env_vars": {"TOKEN": "a secret"},
            "job_env_secrets": ["TOKEN"],
        }
        job = self.client.post("/api/v1/jobs", body)
        self._claim(self.agent, f"queue-{self.number}")
        return str(job["job_id"]), str(job["task_id"])

    def _collab(self, executor: str) -> list[str]:
        """A Collab job that the agent runs, and one that is a dead letter; both are urgent."""
        made = []
        for place, ok in enumerate((None, False)):
            body: Body = {
                "type": "build",
                "executorId": executor,
                "priority": 99,
                "idempotencyKey": f"key {self.number}.{place}",
            }
            made.append(str(self.client.post("/api/collab/task.assign", body)["jobId"]))
            me: Body = {"executorId": executor, "workerId": self.agent, "leaseSeconds": 600}
            self.client.post("/api/collab/task.claim", me)
            held: Body = {"jobId": made[-1], "workerId": self.agent}
            self.client.post("/api/collab/task.start", held)
            if ok is not None:
                result: Body = {**held, "type": "build", "ok": ok, "retryable": False}
                self.client.post("/api/collab/task.result", result)
        return made

    def _talk(self, held: str) -> None:
        """An event of an agent, a notification, and a person's input."""
        me: Body = {"agent_id": self.agent}
        self.client.post("/v1/events", {**me, "type": "fuzz.began", "task_id": held})
        self.client.post("/v1/agents/heartbeat", {**me, "claude_status": "waiting"})
        self.client.post("/v1/tasks/inputs", {**me, "task_id": held, "text": "go on"})

    def _token(self) -> str:
        made = self.client.post("/api/v1/tokens", {"name": "to be revoked", "agent_id": "nobody"})
        return str(made["token_id"])
