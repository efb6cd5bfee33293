"""Every endpoint of Collab jobs that writes: its path, a valid body, the type of each field."""

import pytest

from tests.api_v1.endpoints import (
    ANY,
    BODY,
    FLAG,
    LIST,
    NUMBER,
    OBJECT,
    PASSED,
    TEXT,
    Endpoint,
)
from tests.collab.calls import Collab, data
from tests.spots.endpoints import REAL
from tests.spots.endpoints import WRONG as OF_OTHERS

TIME = "time"
WRONG = OF_OTHERS | {TIME: [5, True, [], {}, "yesterday", "2026-01-31T12:00:00", "9" * 400]}

TRACE = {"traceId": TEXT, "trace_id": TEXT}
HELD = {"jobId": TEXT, "workerId": TEXT, "leaseToken": NUMBER, **TRACE}
MINE = {"jobId": "{held}", "workerId": "{worker}"}

WRITES = [
    Endpoint(
        "post",
        "/task.assign",
        {"type": "build", "executorId": "builds"},
        {
            "type": TEXT,
            "executorId": TEXT,
            "payload": OBJECT,
            "idempotencyKey": TEXT,
            "priority": NUMBER,
            "maxAttempts": NUMBER,
            "runAt": TIME,
            **TRACE,
        },
    ),
    Endpoint(
        "post",
        "/task.claim",
        {"executorId": "builds", "workerId": "{worker}"},
        {
            "executorId": TEXT,
            "workerId": TEXT,
            "leaseSeconds": NUMBER,
            "typePrefix": TEXT,
            "requestId": TEXT,
            **TRACE,
        },
    ),
    Endpoint("post", "/task.start", MINE, HELD),
    Endpoint("post", "/task.renew", MINE, {**HELD, "leaseSeconds": NUMBER}),
    Endpoint("post", "/task.progress", MINE, {**HELD, "pct": REAL, "detail": ANY}),
    Endpoint(
        "post",
        "/task.result",
        {**MINE, "type": "build", "ok": True},
        {
            **HELD,
            "type": TEXT,
            "ok": FLAG,
            "error": PASSED,
            "artifact": BODY,
            "artifacts": LIST,
            "result": ANY,
            "retryable": FLAG,
            "reason": TEXT,
            "stage": TEXT,
        },
    ),
    Endpoint("post", "/task.release", MINE, {**HELD, "reason": PASSED}),
    Endpoint(
        "post",
        "/task.cancel",
        {"jobId": "{waiting}"},
        {"jobId": TEXT, "mode": TEXT, "reason": TEXT, **TRACE},
    ),
    Endpoint(
        "post",
        "/workers/heartbeat",
        {"agentId": "{worker}", "executorId": "builds", "status": "idle"},
        {
            "agentId": TEXT,
            "executorId": TEXT,
            "status": TEXT,
            "running": NUMBER,
            "capacity": NUMBER,
            "version": TEXT,
            **TRACE,
        },
    ),
]

every_write = pytest.mark.parametrize("endpoint", WRITES, ids=str)


class World:
    """A job that a worker holds, one that waits, and one in each way to end."""

    def __init__(self, client):
        self.collab = Collab(client)
        done, failed, held = (self.collab.held() for _ in range(3))
        data(self.collab.result(done))
        data(self.collab.result(failed, ok=False, retryable=False))
        waiting = self.collab.assign()
        self.names = {"worker": "worker-1", "held": held["id"], "waiting": waiting}

    def filled(self, value):
        """The value with every name in braces replaced by an id of this world."""
        if isinstance(value, str):
            return value.format(**self.names)
        if isinstance(value, dict):
            return {key: self.filled(inner) for key, inner in value.items()}
        return value

    def send(self, endpoint, body):
        """Send bytes, or any JSON, to the endpoint."""
        return self.collab.send(endpoint.method, endpoint.path, body)

    def good(self, endpoint, **more):
        return self.filled(endpoint.good) | more
