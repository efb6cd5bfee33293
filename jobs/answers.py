"""Jobs and results as /api/v1 shows them (seed 004; contract 1.4, 1.5)."""
# ruff: noqa: N815 (fields are named as the older clients spell them)

from typing import Any

from rest_framework import serializers

from api.answers import AnswerSerializer, Body, filled
from api.body import JsonDict
from jobs import coordinates
from jobs.models import Job, JobStatus
from tasks.models import Attempt, Task
from tasks.states import Status

# Seed 004's words for the life of a task.
STATUS = {
    Status.QUEUED: "NEW",
    Status.IN_PROGRESS: "RUNNING",
    Status.DONE: "DONE",
    Status.FAILED: "FAILED",
    Status.LOCKED: "LOCKED",
    Status.CANCELLED: "CANCELLED",
}


class JobSerializer(AnswerSerializer):
    """A job with its exact counts, its program, and how many of its tasks are in progress."""

    id = serializers.CharField(source="public_id")
    jobId = serializers.CharField(source="public_id")
    status = serializers.ChoiceField(JobStatus.choices, source="counted_status")
    totalTasks = serializers.IntegerField(source="counted_total")
    completedTasks = serializers.IntegerField(source="counted_completed")
    failedTasks = serializers.IntegerField(source="counted_failed")
    cancelledTasks = serializers.IntegerField(source="counted_cancelled")
    runningTasks = serializers.IntegerField(source="running")
    pendingTasks = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    priority = serializers.IntegerField()
    createdAt = serializers.DateTimeField(source="created_at")
    name = serializers.CharField(required=False)
    startedAt = serializers.DateTimeField(source="counted_started_at", required=False)
    finishedAt = serializers.DateTimeField(source="counted_finished_at", required=False)
    cancelAskedAt = serializers.DateTimeField(source="cancel_asked_at", required=False)
    jarPath = serializers.CharField(source="program.jarPath", required=False)
    artifactBucket = serializers.CharField(source="program.artifactBucket", required=False)
    artifactKey = serializers.CharField(source="program.artifactKey", required=False)
    artifactEndpoint = serializers.CharField(source="program.artifactEndpoint", required=False)
    mainClass = serializers.CharField(source="program.mainClass", required=False)

    def get_pendingTasks(self, row: Job) -> int:  # noqa: N802
        return max(row.counted_total - ended(row) - row.running, 0)

    def get_progress(self, row: Job) -> float:
        return round(ended(row) / row.counted_total, 4) if row.counted_total else 0.0


class UnservedSerializer(AnswerSerializer):
    """The number of tasks that want what no online agent offers."""

    wants = serializers.DictField()
    tasks = serializers.IntegerField()


class WholeRangeSerializer(serializers.Serializer):
    min = serializers.IntegerField()
    max = serializers.IntegerField()
    step = serializers.IntegerField()


class GivenGroupSerializer(serializers.Serializer):
    """A group of parameters as the request has it."""

    groupId = serializers.CharField()
    params = serializers.DictField()


class SpecificationSerializer(serializers.Serializer):
    """What was asked for, in either form."""

    jarPath = serializers.CharField(required=False)
    mainClass = serializers.CharField(required=False)
    algorithms = serializers.ListField(child=serializers.CharField(), required=False)
    iterations = WholeRangeSerializer(required=False)
    agents = WholeRangeSerializer(required=False)
    dimension = WholeRangeSerializer(required=False)
    artifactBucket = serializers.CharField(required=False)
    artifactKey = serializers.CharField(required=False)
    artifactEndpoint = serializers.CharField(required=False)
    optimizerId = serializers.CharField(required=False)
    parameters = GivenGroupSerializer(many=True, required=False)
    parameterNames = serializers.ListField(child=serializers.CharField(), required=False)
    maxAttempts = serializers.IntegerField(required=False)
    retryDelaySeconds = serializers.IntegerField(required=False)


class JobDetailsSerializer(JobSerializer):
    """A job with its specification, an estimate of its end, and its unserved tasks."""

    further = SpecificationSerializer

    estimatedSecondsLeft = serializers.FloatField(source="seconds_left", allow_null=True)
    unserved = UnservedSerializer(many=True)

    def to_representation(self, instance: Any) -> Body:
        asked = {name: value for name, value in instance.specification.items() if value is not None}
        return super().to_representation(instance) | asked


class BadAttemptSerializer(serializers.Serializer):
    """An attempt that did not end well."""

    leaseEpoch = serializers.IntegerField()
    spotId = serializers.CharField()
    outcome = serializers.CharField()
    finishedAt = serializers.DateTimeField()
    error = serializers.CharField(required=False)
    startedAt = serializers.DateTimeField(required=False)


class ShortResultSerializer(serializers.Serializer):
    """A result without its document: where in the grid, what was measured, by whom and when.

    Measures and coordinates are as the SPOT and the request had them.
    """

    taskId = serializers.UUIDField()
    status = serializers.ChoiceField(list(STATUS.values()))
    algorithm = serializers.JSONField(required=False)
    function = serializers.JSONField(required=False)
    iterations = serializers.JSONField(required=False)
    agents = serializers.JSONField(required=False)
    dimension = serializers.JSONField(required=False)
    fopt = serializers.JSONField(required=False)
    runtimeMs = serializers.JSONField(required=False)
    iter = serializers.JSONField(required=False)
    assignedTo = serializers.CharField(required=False)
    startedAt = serializers.DateTimeField(required=False)
    finishedAt = serializers.DateTimeField(required=False)
    params = serializers.DictField(required=False)
    errorMessage = serializers.CharField(required=False)
    attempts = serializers.IntegerField(required=False)
    deadLetter = serializers.CharField(required=False)
    attemptHistory = BadAttemptSerializer(many=True, required=False)


class ResultSerializer(ShortResultSerializer):
    """A result as its SPOT sent it, which `result` writes."""

    result = serializers.JSONField(required=False)


def ended(row: Job) -> int:
    return row.counted_completed + row.counted_failed + row.counted_cancelled


def result(row: Task) -> dict[str, object]:
    """A task's result as its SPOT sent it, with the task's coordinates; nulls are left out."""
    document = row.result if isinstance(row.result, dict) else {}
    body: dict[str, object] = {
        "taskId": row.pk,
        "status": STATUS[Status(row.status)],
        **coordinates.of(row.payload),
        "fopt": document.get("fopt"),
        "runtimeMs": document.get("runtimeMs"),
        "iter": document.get("iter"),
        "assignedTo": row.last_holder or None,
        "startedAt": row.claimed_at,
        "finishedAt": row.finished_at,
        "params": params_of(row),
        "result": row.result,
    }
    if row.status == Status.FAILED:
        body["errorMessage"] = row.fail_reason
        body["attempts"] = row.attempts
        body["deadLetter"] = row.dead_letter
        body["attemptHistory"] = [attempt(bad) for bad in row.bad_attempts.all()]
    return {name: value for name, value in body.items() if value is not None}


def params_of(row: Task) -> JsonDict | None:
    params = row.payload.get("params") if isinstance(row.payload, dict) else None
    return params if isinstance(params, dict) else None


def attempt(row: Attempt) -> dict[str, object]:
    return {
        "leaseEpoch": row.epoch,
        "spotId": row.agent_id,
        "outcome": row.outcome,
        "finishedAt": row.ended_at,
        **filled(error=row.reason, startedAt=row.started_at),
    }
