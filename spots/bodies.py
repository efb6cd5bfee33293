"""Tasks and SPOTs as the API shows them (seed 004, 2; contract 004, 1.2 and 1.9)."""

import orjson

from agents.models import Agent
from api.body import JsonDict
from api.views import filled
from jobs.models import Job
from tasks.rows import TaskRow

PROGRAM = ("jarPath", "mainClass", "artifactBucket", "artifactKey", "artifactEndpoint")
MORE = (
    "host",
    "labels",
    "ramMb",
    "ramUsedMb",
    "ramTotalMb",
    "loadAvg1m",
    "swapUsedMb",
    "diskFreeGb",
    "jvmHeapUsedMb",
    "jvmHeapMaxMb",
    "cachedArtifacts",
    "capabilities",
)
"""Further data of a SPOT, shown as it sent them."""


def claimed(row: TaskRow, job: Job | None) -> dict[str, object]:
    """A claimed task, with the program that its job runs."""
    return {
        "id": row.id,
        "taskId": row.id,
        **filled(jobId=job.public_id if job else None),
        "payload": row.payload,
        "params": orjson.Fragment(row.payload),
        **(program(job.specification) if job else {}),
        "leaseEpoch": row.lease_epoch,
        "attempt": row.attempts + 1,
        "maxAttempts": row.max_attempts,
        "leaseExpiresAt": row.lease_expires_at,
    }


def program(specification: JsonDict) -> dict[str, object]:
    return {name: specification[name] for name in PROGRAM if specification.get(name) is not None}


def spot(row: Agent, *, tasks: int) -> dict[str, object]:
    """A SPOT; `runningTasks` is its own last report, `tasks` counts those that it holds."""
    meta = row.meta
    more = {name: meta[name] for name in MORE if name in meta}
    return {
        "id": row.id,
        "spotId": row.id,
        **filled(ipAddress=meta.get("ipAddress")),
        "status": "UP" if row.online else "DOWN",
        "cpuLoad": meta.get("cpuLoad", 0),
        "runningTasks": meta.get("runningTasks", 0),
        "totalCores": meta.get("totalCores", 0),
        "lastHeartbeat": row.last_seen_at,
        "registeredAt": row.created_at,
        "tasks": tasks,
        "draining": row.draining,
        **filled(maxConcurrent=row.capacity, **more),
    }
