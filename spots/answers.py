"""Tasks and SPOTs as the API shows them (seed 004, 2; contract 004, 1.2 and 1.9)."""
# ruff: noqa: N815 (fields are named as SPOTs spell them)

from typing import Any

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent
from api.answers import AnswerSerializer, Body, filled
from api.body import JsonDict
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


class ProgramSerializer(serializers.Serializer):
    """What a task's job runs."""

    jobId = serializers.CharField(required=False)
    jarPath = serializers.CharField(required=False)
    mainClass = serializers.CharField(required=False)
    artifactBucket = serializers.CharField(required=False)
    artifactKey = serializers.CharField(required=False)
    artifactEndpoint = serializers.CharField(required=False)


class SpotTaskSerializer(AnswerSerializer):
    """A claimed task, with the program that its job runs."""

    further = ProgramSerializer

    id = serializers.UUIDField()
    taskId = serializers.UUIDField(source="id")
    payload = serializers.CharField()
    params = serializers.SerializerMethodField()
    leaseEpoch = serializers.IntegerField(source="lease_epoch")
    attempt = serializers.SerializerMethodField()
    maxAttempts = serializers.IntegerField(source="max_attempts")
    leaseExpiresAt = serializers.DateTimeField(source="lease_expires_at")

    @extend_schema_field(OpenApiTypes.ANY)
    def get_params(self, row: TaskRow) -> orjson.Fragment:
        return orjson.Fragment(row.payload)

    def get_attempt(self, row: TaskRow) -> int:
        return row.attempts + 1


def claimed(row: TaskRow, job: Job | None) -> Body:
    """A claimed task with its job, if it has one."""
    body = SpotTaskSerializer.shown(row)
    if job is None:
        return body
    return body | {"jobId": job.public_id} | program(job.specification)


def program(specification: JsonDict) -> Body:
    return {name: specification[name] for name in PROGRAM if specification.get(name) is not None}


class TelemetrySerializer(serializers.Serializer):
    """What a SPOT says of itself, as it sent it."""

    host = serializers.CharField(required=False)
    labels = serializers.ListField(child=serializers.CharField(), required=False)
    ramMb = serializers.IntegerField(required=False)
    ramUsedMb = serializers.FloatField(required=False)
    ramTotalMb = serializers.FloatField(required=False)
    loadAvg1m = serializers.FloatField(required=False)
    swapUsedMb = serializers.FloatField(required=False)
    diskFreeGb = serializers.FloatField(required=False)
    jvmHeapUsedMb = serializers.FloatField(required=False)
    jvmHeapMaxMb = serializers.FloatField(required=False)
    cachedArtifacts = serializers.JSONField(required=False)
    capabilities = serializers.DictField(required=False)


class SpotSerializer(AnswerSerializer):
    """A SPOT; `runningTasks` is its own last report, `tasks` counts those that it holds."""

    further = TelemetrySerializer

    id = serializers.CharField()
    spotId = serializers.CharField(source="id")
    status = serializers.SerializerMethodField()
    cpuLoad = serializers.SerializerMethodField()
    runningTasks = serializers.SerializerMethodField()
    totalCores = serializers.SerializerMethodField()
    lastHeartbeat = serializers.DateTimeField(source="last_seen_at")
    registeredAt = serializers.DateTimeField(source="created_at")
    tasks = serializers.IntegerField(source="held")
    draining = serializers.BooleanField()
    ipAddress = serializers.SerializerMethodField()
    maxConcurrent = serializers.IntegerField(source="capacity", required=False)

    def get_status(self, row: Agent) -> str:
        return "UP" if row.online else "DOWN"

    def get_cpuLoad(self, row: Agent) -> float:  # noqa: N802
        load: float = row.meta.get("cpuLoad", 0)
        return load

    def get_runningTasks(self, row: Agent) -> int:  # noqa: N802
        running: int = row.meta.get("runningTasks", 0)
        return running

    def get_totalCores(self, row: Agent) -> int:  # noqa: N802
        cores: int = row.meta.get("totalCores", 0)
        return cores

    def get_ipAddress(self, row: Agent) -> str | None:  # noqa: N802
        return row.meta.get("ipAddress") or None

    def to_representation(self, instance: Any) -> Body:
        meta = instance.meta
        more = filled(**{name: meta[name] for name in MORE if name in meta})
        return super().to_representation(instance) | more
