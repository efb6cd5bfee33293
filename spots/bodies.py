"""What SPOTs and their users are shown (seed 004, 2; contract 004, 1.2 and 1.9)."""

import orjson

from agents.models import Agent
from api.body import JsonDict
from api.views import dumps, filled
from jobs.models import Job
from tasks.fast_path import TaskRow

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
"""What a SPOT says of itself besides, shown as it was said."""


def claimed(row: TaskRow, job: Job | None) -> dict[str, object]:
    """A task as the SPOT that got it is told, with the program that its job runs."""
    # A row of a statement holds the JSON as the database wrote it.
    payload = row.payload if isinstance(row.payload, str) else dumps(row.payload).decode().strip()
    return {
        "id": row.id,
        "taskId": row.id,
        **filled(jobId=job.public_id if job else None),
        "payload": payload,
        "params": orjson.Fragment(payload),
        **(program(job.specification) if job else {}),
        "leaseEpoch": row.lease_epoch,
        "attempt": row.attempts + 1,
        "maxAttempts": row.max_attempts,
        "leaseExpiresAt": row.lease_expires_at,
    }


def program(specification: JsonDict) -> dict[str, object]:
    return {name: specification[name] for name in PROGRAM if specification.get(name) is not None}


def spot(row: Agent, *, tasks: int) -> dict[str, object]:
    """A SPOT; `runningTasks` is what it said last, `tasks` is what it holds."""
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
