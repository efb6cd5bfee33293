"""Every endpoint that writes: its path, a valid body, and the type of each field."""

from dataclasses import dataclass, field

import pytest

from jobs import command_transitions
from jobs.commands import CommandRequest
from tests.accounts.tokens import ADMINISTRATOR

TEXT, NUMBER, FLAG, OBJECT, TEXTS, ANY = "text", "number", "flag", "object", "texts", "any"
LIST, BODY = "list", "body"
PASSED = "passed"  # taken whatever it is
OUTCOMES = "outcomes"  # a list whose items are judged one by one

WRONG = {
    TEXT: [5, 1.5, True, [], {}, ["x"]],
    NUMBER: ["5", "", 1.0, 1.5, True, [], {}, 2**70, 1e300],
    FLAG: ["yes", "true", 0, 1, [], {}],
    OBJECT: ["x", 5, True, [], [{}]],
    TEXTS: ["x", 5, True, {}, [5], [None], ["x", []]],
    LIST: ["x", 5, True, {}, [5], [True], [[]]],
    BODY: ["x", 5, True, [], [{}]],
    ANY: [],
    PASSED: [],
    OUTCOMES: ["x", 5, True, {}],
}


@dataclass(frozen=True)
class Endpoint:
    """Names in braces stand for ids of the `World` that the endpoint is tried in."""

    method: str
    path: str
    good: dict
    kinds: dict = field(default_factory=dict)
    bare: bool = False  # takes a request without a body

    def __str__(self):
        return f"{self.method} {self.path}"

    @property
    def required(self):
        """Whether an empty body is refused."""
        return bool(self.good)


WISH = {
    "channel_id": TEXT,
    "channel_ids": TEXTS,
    "channel": TEXT,
    "channels": TEXTS,
    "max_tasks": NUMBER,
    "lease_seconds": NUMBER,
    "idempotency_key": TEXT,
}
END = {"task_id": TEXT, "agent_id": TEXT, "lease_epoch": NUMBER}
DEAD = {"ids": TEXTS, "filter": BODY, "all": FLAG, "reason": TEXT}
FAIL = END | {"reason": PASSED, "retriable": FLAG}

WRITES = [
    Endpoint(
        "post",
        "/agents/heartbeat",
        {},
        {
            "agent_id": TEXT,
            "name": PASSED,
            "meta": PASSED,
            "capabilities": PASSED,
            "capacity": PASSED,
            "incarnation": TEXT,
            "tasks": LIST,
            "waiting": LIST,
        },
    ),
    Endpoint("patch", "/agents/{agent}/channels", {}, {"subscriptions": TEXTS}),
    Endpoint("post", "/agents/{idle}/drain", {}, {"reason": TEXT}, bare=True),
    Endpoint("post", "/agents/{idle}/retire", {}, {"reason": TEXT, "remove": FLAG}, bare=True),
    Endpoint("post", "/agents/{idle}/resume", {}, {"reason": TEXT}, bare=True),
    Endpoint(
        "post",
        "/agents/request-session",
        {"channel_id": "{channel}"},
        {"channel_id": TEXT, "channel_name": TEXT},
    ),
    Endpoint(
        "post",
        "/notifications/dismiss",
        {"agent_id": "a", "type": "setup_waiting"},
        {"agent_id": TEXT, "type": TEXT},
    ),
    Endpoint("post", "/channels", {"name": "new"}, {"name": TEXT, "description": TEXT}),
    Endpoint("post", "/channels/{channel}/pause", {}, {"reason": TEXT}, bare=True),
    Endpoint("post", "/channels/{channel}/resume", {}, {"reason": TEXT}, bare=True),
    Endpoint(
        "post",
        "/chains",
        {"channel_id": "{channel}", "name": "new"},
        {
            "channel_id": TEXT,
            "name": TEXT,
            "description": TEXT,
            "status": TEXT,
            "on_failure": TEXT,
        },
    ),
    Endpoint(
        "put",
        "/chains/{chain}",
        {},
        {"name": TEXT, "description": TEXT, "status": TEXT, "on_failure": TEXT},
    ),
    Endpoint("post", "/chains/{chain}/detach", {"agent_id": "{agent}"}, {"agent_id": TEXT}),
    Endpoint("post", "/chains/{free}/assign-agent", {"agent_id": "{idle}"}, {"agent_id": TEXT}),
    Endpoint(
        "post",
        "/tasks",
        {"channel_id": "{channel}", "title": "new"},
        {
            "channel_id": TEXT,
            "channel": TEXT,
            "title": TEXT,
            "chain_id": TEXT,
            "sequence": NUMBER,
            "description": TEXT,
            "payload": OBJECT,
            "priority": NUMBER,
            "status": TEXT,
            "execution_mode": TEXT,
            "max_attempts": NUMBER,
            "idempotency_key": TEXT,
        },
    ),
    Endpoint(
        "post",
        "/tasks/claim",
        {"agent_id": "{idle}", "channel_id": "{channel}"},
        {"agent_id": TEXT, "incarnation": TEXT} | WISH,
    ),
    Endpoint(
        "post",
        "/tasks/report",
        {"agent_id": "{agent}", "outcomes": [{"task_id": "{held}", "status": "done"}]},
        {"agent_id": TEXT, "outcomes": OUTCOMES, "claim": BODY},
    ),
    Endpoint(
        "post",
        "/tasks/assign",
        {"task_id": "{queued}", "agent_id": "{idle}"},
        {"task_id": TEXT, "agent_id": TEXT},
    ),
    Endpoint("post", "/tasks/complete", {"task_id": "{held}"}, END | {"result": ANY}),
    Endpoint("post", "/tasks/fail", {"task_id": "{held}"}, FAIL),
    Endpoint("post", "/tasks/{locked}/status", {"status": "done"}, {"status": TEXT}),
    Endpoint("post", "/tasks/{queued}/cancel", {}, {"reason": TEXT, "force": FLAG}, bare=True),
    Endpoint("post", "/tasks/{failed}/requeue", {}, {"reason": TEXT}, bare=True),
    Endpoint("post", "/dead-letters/requeue", {"reason": "r", "ids": ["{failed}"]}, DEAD),
    Endpoint("post", "/dead-letters/purge", {"reason": "r", "ids": ["{failed}"]}, DEAD),
    Endpoint(
        "post",
        "/tasks/{held}/renew",
        {"agent_id": "{agent}"},
        {"agent_id": TEXT, "lease_epoch": NUMBER, "lease_seconds": NUMBER},
    ),
    Endpoint(
        "post",
        "/tasks/{held}/secrets",
        {"agent_id": "{agent}"},
        {"agent_id": TEXT, "lease_epoch": NUMBER},
    ),
    Endpoint(
        "post",
        "/tasks/{command}/exit",
        {"agent_id": "runner", "lease_epoch": 1, "status": "failed"},
        {"exit_code": NUMBER, "error": PASSED, "commit_sha": TEXT},
    ),
    Endpoint(
        "post",
        "/tasks/{held}/release",
        {"agent_id": "{agent}"},
        {"agent_id": TEXT, "lease_epoch": NUMBER, "reason": PASSED},
    ),
    Endpoint(
        "post",
        "/tasks/{held}/logs",
        {
            "agent_id": "{agent}",
            "lease_epoch": 1,
            "stream": "stdout",
            "sequence": 1,
            "entries": [{"at": "2026-01-31T12:00:00Z", "message": "x"}],
        },
        {"agent_id": TEXT, "lease_epoch": NUMBER, "stream": TEXT, "sequence": NUMBER},
    ),
    Endpoint(
        "post",
        "/tasks/inputs",
        {"task_id": "{held}", "agent_id": "{agent}", "text": "x"},
        {
            "task_id": TEXT,
            "agent_id": TEXT,
            "kind": TEXT,
            "text": TEXT,
            "send_enter": FLAG,
            "idempotency_key": TEXT,
        },
    ),
    Endpoint(
        "post",
        "/tasks/inputs/claim",
        {"task_id": "{held}", "agent_id": "{agent}"},
        {"task_id": TEXT, "agent_id": TEXT},
    ),
    Endpoint(
        "post",
        "/events",
        {"agent_id": "{agent}", "type": "x"},
        {
            "agent_id": TEXT,
            "type": TEXT,
            "task_id": TEXT,
            "payload": OBJECT,
            "idempotency_key": TEXT,
        },
    ),
]

every_write = pytest.mark.parametrize("endpoint", WRITES, ids=str)


class World:
    """One of each object that a request may name."""

    def __init__(self, api):
        self.api = api
        channel = api.channel()
        chain, free, locked = (api.chain(channel, name) for name in ("owned", "free", "locked"))
        failed = api.task(channel)
        api.claim("agent", channel)
        api.fail(failed)
        held = api.task(channel)
        api.claim("agent", channel)
        locked_task = api.task(channel, chain_id=locked["id"])
        api.claim("gone", channel)
        api.detach(locked["id"], "gone")
        api.task(channel, chain_id=chain["id"])
        api.claim("agent", channel)
        queued = api.task(channel)
        api.post("/tasks/inputs", task_id=held["id"], agent_id="agent", text="hello")
        api.beat("idle", meta={"subscriptions": [channel["name"]]})
        self.names = {
            "agent": "agent",
            "idle": "idle",
            "channel": channel["id"],
            "chain": chain["id"],
            "free": free["id"],
            "held": held["id"],
            "queued": queued["id"],
            "failed": failed["id"],
            "locked": locked_task["id"],
            "command": self._command(),
        }

    def _command(self):
        """The task of a command that the agent runs."""
        request = CommandRequest(name="x", job_command="true", queue_name="commands")
        command, _ = command_transitions.submit(request, by=ADMINISTRATOR)
        self.api.claim("runner", {"name": "commands"})
        return str(command.task_id)

    def filled(self, value):
        """The value with every name in braces replaced by an id of this world."""
        match value:
            case str():
                return value.format(**self.names)
            case dict():
                return {key: self.filled(inner) for key, inner in value.items()}
            case list():
                return [self.filled(inner) for inner in value]
        return value

    def send(self, endpoint, body):
        """Send bytes, or any JSON, to the endpoint."""
        return self.api.send(endpoint.method, self.filled(endpoint.path), body)

    def good(self, endpoint, **more):
        return self.filled(endpoint.good) | more
