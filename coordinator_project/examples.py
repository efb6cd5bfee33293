"""Examples of bodies, made from their schemas: a value for each name that people would send."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

ID = "019c1a2b-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
TIME = "2026-01-31T12:00:00Z"

SAMPLES: Mapping[str, object] = {
    "activity": "running",
    "actor": "agent:agent-1",
    "agentId": "worker-1",
    "agent_id": "agent-1",
    "agent_name": "agent-1",
    "algorithm": "ackley",
    "algorithms": ["pso", "sade"],
    "artifactBucket": "programs",
    "artifactKey": "optimizer-1.4.jar",
    "assigned_agent_id": "agent-1",
    "capabilities": {"gpu": ["a100"]},
    "capacity": 4,
    "channel": "builds",
    "channel_name": "builds",
    "code": "conflict",
    "code_dir": "/job/src",
    "column": "queued",
    "coordinatorVersion": "2.0.0",
    "cpuLoad": 12.5,
    "cursor": "4711",
    "database": "connected",
    "description": "For everything that is built.",
    "error": "The program ended with exit code 1.",
    "executorId": "builds",
    "executor_id": "builds",
    "exit_code": 0,
    "fopt": 0.0125,
    "git_ref": "main",
    "git_url": "https://git.example.org/project.git",
    "host": "spot-1.example",
    "id": "agent-1",
    "ids": [ID],
    "ipAddress": "192.0.2.17",
    "iter": 120,
    "iterations": {"min": 100, "max": 300, "step": 100},
    "agents": {"min": 25, "max": 125, "step": 25},
    "dimension": {"min": 2, "max": 10, "step": 2},
    "first_line": 12,
    "last_line": 19,
    "snippet": "def claim(agent):",
    "marks": [[4, 9]],
    "embedder": "hashing-1",
    "symbol": "claim",
    "symbol_kind": "function",
    "jarPath": "/opt/optimizer.jar",
    "jobId": "job-019c1a2b3c4d7e5f8a9b0c1d2e3f4a5b",
    "job_command": "make test",
    "job_dir": "/job/src",
    "kind": "text",
    "label": "Cancel",
    "lease_epoch": 7,
    "leaseEpoch": 7,
    "mainClass": "org.example.Main",
    "max_attempts": 3,
    "maxAttempts": 3,
    "max_tasks": 2,
    "maxTasks": 2,
    "message": "Task 019c… is done, so it cannot be cancelled.",
    "name": "builds",
    "owner_agent_id": "agent-1",
    "parameters": [
        {"groupId": "run", "params": {"agents": {"type": "INT_RANGE", "min": 25, "max": 75}}}
    ],
    "payload": {"commit": "4f1c2d"},
    "provider": "openai",
    "queue_name": "reactorcide-jobs",
    "priority": 0,
    "reason": "The compiler is missing.",
    "result": {"artifact": "build-17.tar.gz"},
    "runningTasks": 1,
    "runtimeMs": 1840,
    "sequence": 1,
    "service": "chat",
    "source_type": "git",
    "spotId": "spot-1",
    "status": "done",
    "subscriptions": ["builds"],
    "text": "yes",
    "title": "Build the release",
    "totalCores": 8,
    "totalTasks": 375,
    "type": "build.started",
    "uptime": "3h 12m",
    "version": "18.1",
    "will": ["1 task will be cancelled."],
    "workerId": "worker-1",
    "worker_id": "worker-1",
}

ASKED = frozenset(
    {
        "agent_id",
        "capabilities",
        "channel",
        "channel_name",
        "claim",
        "description",
        "error",
        "fopt",
        "git_ref",
        "git_url",
        "host",
        "ids",
        "iter",
        "lease_epoch",
        "leaseEpoch",
        "leaseToken",
        "max_tasks",
        "maxTasks",
        "outcomes",
        "payload",
        "provider",
        "reason",
        "result",
        "runtimeMs",
        "service",
        "spotInfo",
        "subscriptions",
        "tasks",
        "text",
        "workerId",
    }
)
"""What is in the example of a request though it may be left out."""


def of(schema: Schema, components: Schema, *, asked: bool, name: str = "") -> object:
    """A value that the schema allows: what is required, in a request also what is usual."""
    schema = _resolved(schema, components)
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        usual = SAMPLES.get(name)
        return usual if usual in schema["enum"] else schema["enum"][0]
    kinds = schema.get("type", "")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    sample = SAMPLES.get(name)
    if kind == "object" and "properties" in schema:
        required = schema.get("required", [])
        if isinstance(sample, dict) and sample.keys() == set(required):
            return sample
        return {
            inner: of(part, components, asked=asked, name=inner)
            for inner, part in schema["properties"].items()
            if inner in required or (asked and inner in ASKED)
        }
    if kind == "array":
        if isinstance(sample, list) and _fits(sample, _resolved(schema["items"], components)):
            return sample
        return [of(schema["items"], components, asked=asked, name=name.removesuffix("s"))]
    if kind == "object":
        if isinstance(sample, dict):
            return sample
        inner = schema.get("additionalProperties")
        return {"name": of(inner, components, asked=asked)} if inner else {}
    return _simple(kind, schema, sample)


def _fits(sample: list[object], items: Schema) -> bool:
    """Whether the items of the sample have the members that those of this list need."""
    needed = set(items.get("required", []))
    return all(needed <= (one.keys() if isinstance(one, dict) else set()) for one in sample)


def _simple(kind: str, schema: Schema, sample: object) -> object:
    match kind:
        case "boolean":
            return True
        case "integer":
            return sample if type(sample) is int else max(schema.get("minimum", 1), 1)
        case "number":
            return sample if isinstance(sample, (int, float)) else 0.5
        case "string" if schema.get("format") == "uuid":
            return ID
        case "string" if schema.get("format") == "date-time":
            return TIME
        case "string":
            return sample if isinstance(sample, str) else "text"
        case "null":
            return None
    return sample if sample is not None else {}


def _resolved(schema: Schema, components: Schema) -> Schema:
    """The schema itself, where it refers to one or is a choice of several, the first of these."""
    while "properties" not in schema:  # beside these stand rules, not forms
        choice = [schema[key][0] for key in ("oneOf", "anyOf", "allOf") if key in schema]
        if "$ref" in schema:
            schema = components["schemas"][schema["$ref"].rpartition("/")[2]]
        elif choice:
            schema = choice[0]
        else:
            break
    return schema
