"""Every endpoint of seed 004 that writes: its path, a valid body, the type of each field."""

import pytest

from tests.api_v1.endpoints import ANY, BODY, FLAG, LIST, NUMBER, PASSED, TEXT, TEXTS, Endpoint
from tests.api_v1.endpoints import WRONG as OF_OTHERS
from tests.jobs.sweeps import artifact, ranges
from tests.spots.calls import Spots, data, make_sweep

REAL = "real"
WRONG = OF_OTHERS | {REAL: ["5", "", True, [], {}]}
BEAT = {"spotId": "{spot}", "cpuLoad": 1.5, "runningTasks": 1, "totalCores": 4}
COMMON = {
    "name": TEXT,
    "priority": NUMBER,
    "maxAttempts": NUMBER,
    "retryDelaySeconds": NUMBER,
    "idempotencyKey": TEXT,
    "idempotency_key": TEXT,
}

WRITES = [
    Endpoint(
        "post",
        "/internal/v1/hello",
        {},
        {"spotId": TEXT, "ipAddress": TEXT, "spotInfo": BODY, "capabilities": BODY},
        bare=True,
    ),
    Endpoint(
        "post",
        "/internal/v1/heartbeat",
        BEAT,
        {
            "spotId": TEXT,
            "ipAddress": PASSED,
            **dict.fromkeys(("ramUsedMb", "ramTotalMb", "loadAvg1m", "swapUsedMb"), PASSED),
            **dict.fromkeys(("diskFreeGb", "jvmHeapUsedMb", "jvmHeapMaxMb"), PASSED),
            "cachedArtifacts": PASSED,
        },
    ),
    Endpoint(
        "post",
        "/internal/v1/tasks/claim",
        {"spotId": "{spot}"},
        {"spotId": TEXT, "maxTasks": NUMBER},
    ),
    Endpoint(
        "post",
        "/internal/v1/tasks/{held}/complete",
        {"spotId": "{spot}"},
        {
            "spotId": TEXT,
            "leaseEpoch": NUMBER,
            "runtimeMs": NUMBER,
            "iter": NUMBER,
            "fopt": REAL,
            "resultJson": TEXT,
            "bestPos": ANY,
            "charts": ANY,
            "peakRamMb": REAL,
        },
    ),
    Endpoint(
        "post",
        "/internal/v1/tasks/{held}/fail",
        {"spotId": "{spot}"},
        {
            "spotId": TEXT,
            "leaseEpoch": NUMBER,
            "error": PASSED,
            "errorMessage": PASSED,
            "retriable": FLAG,
            "failureReason": PASSED,
            "exitCode": PASSED,
            "outputSnippet": PASSED,
        },
    ),
    Endpoint(
        "post",
        "/internal/v1/tasks/{held}/release",
        {"spotId": "{spot}"},
        {"spotId": TEXT, "leaseEpoch": NUMBER, "reason": PASSED},
    ),
    Endpoint(
        "post",
        "/api/v1/jobs",
        ranges(),
        {
            "jarPath": TEXT,
            "mainClass": TEXT,
            "algorithms": TEXTS,
            **dict.fromkeys(("iterations", "agents", "dimension"), BODY),
            **COMMON,
        },
    ),
    Endpoint(
        "post",
        "/api/v1/jobs",
        artifact(run={"n": {"type": "CONSTANT", "value": 1}}),
        {
            **dict.fromkeys(("artifactBucket", "artifactKey", "artifactEndpoint"), TEXT),
            "mainClass": TEXT,
            "optimizerId": TEXT,
            "parameters": LIST,
            **COMMON,
        },
    ),
    Endpoint("post", "/api/v1/jobs/{job}/cancel", {}, {"reason": TEXT}, bare=True),
    Endpoint("put", "/api/v1/jobs/{job}/cancel", {}, {"reason": TEXT}, bare=True),
    Endpoint("post", "/api/v1/jobs/{job}/retry", {}, {"reason": TEXT}, bare=True),
]

every_write = pytest.mark.parametrize("endpoint", WRITES, ids=str)


class World:
    """A sweep with a task in each status, and the SPOT that holds one."""

    def __init__(self, client):
        self.spots = Spots(client)
        job = make_sweep(4)
        data(self.spots.beat("spot-1"))
        done, failed, held = self.spots.claim(number=3)
        data(self.spots.complete(done))
        data(self.spots.fail(failed, retriable=False))
        self.names = {"spot": "spot-1", "held": held["id"], "job": job.public_id}

    def filled(self, value):
        """The value with every name in braces replaced by an id of this world."""
        if isinstance(value, str):
            return value.format(**self.names)
        if isinstance(value, dict):
            return {key: self.filled(inner) for key, inner in value.items()}
        return value

    def send(self, endpoint, body):
        """Send bytes, or any JSON, to the endpoint."""
        return self.spots.send(endpoint.method, self.filled(endpoint.path), body)

    def good(self, endpoint, **more):
        return self.filled(endpoint.good) | more
