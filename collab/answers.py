"""Jobs, artifacts, events and workers as seed 003 shows them (contract 003, 2)."""

from rest_framework import serializers

from api.answers import AnswerSerializer
from collab.serializers import WorkerStatus
from collab.states import JobStatus, ReasonCode, Stage


class CollabJobSerializer(AnswerSerializer):
    """A job as it is now; what it has not is null."""

    id = serializers.UUIDField()
    type = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(JobStatus.choices, source="job_status")
    executor_id = serializers.CharField()
    worker_id = serializers.CharField(source="agent_id", allow_null=True)
    payload = serializers.JSONField()
    result = serializers.JSONField()
    error = serializers.DictField(child=serializers.CharField(), allow_null=True)
    idempotency_key = serializers.CharField(source="key", allow_null=True)
    attempts = serializers.IntegerField(source="attempts_begun")
    max_attempts = serializers.IntegerField()
    next_run_at = serializers.DateTimeField(allow_null=True)
    lease_owner = serializers.CharField(allow_null=True)
    lease_until = serializers.DateTimeField(source="lease_expires_at", allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    lease_token = serializers.IntegerField(source="lease_epoch")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    payload_hash = serializers.CharField()
    trace_id = serializers.CharField(allow_null=True)
    correlation_id = serializers.CharField()
    tenant_id = serializers.UUIDField(source="user_id", allow_null=True)
    priority = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()


class CollabArtifactSerializer(AnswerSerializer):
    """An artifact of a job: a reference that its result names, or a file that its task has."""

    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    name = serializers.CharField()
    mime = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    url = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class JobEventSerializer(AnswerSerializer):
    """An event of a job; `seq` is its number among those of the job."""

    id = serializers.IntegerField()
    seq = serializers.IntegerField()
    job_id = serializers.UUIDField()
    event_type = serializers.CharField()
    payload = serializers.JSONField(source="event.payload")
    created_at = serializers.DateTimeField(source="event.created_at")
    actor = serializers.CharField(source="event.actor")


class WorkerSerializer(AnswerSerializer):
    """A worker as it last said that it is."""

    agent_id = serializers.CharField(source="agent.pk")
    executor_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(WorkerStatus.choices)
    version = serializers.CharField(allow_null=True)
    running = serializers.IntegerField(allow_null=True)
    capacity = serializers.IntegerField(source="agent.capacity", allow_null=True)
    last_seen_at = serializers.DateTimeField(source="agent.last_seen_at")


class CollabDeadLetterSerializer(AnswerSerializer):
    """A dead letter: what is kept of a job that failed for good, and the job."""

    id = serializers.IntegerField(source="letter.pk")
    job_id = serializers.UUIDField(source="pk")
    type = serializers.CharField(allow_blank=True)
    executor_id = serializers.CharField()
    reason = serializers.CharField(source="fail_reason", allow_blank=True)
    reason_code = serializers.ChoiceField(ReasonCode.choices, source="letter.reason_code")
    stage = serializers.ChoiceField(Stage.choices, source="letter.stage")
    error = serializers.DictField(child=serializers.CharField(), allow_null=True)
    last_error = serializers.CharField(source="fail_reason", allow_blank=True)
    payload = serializers.JSONField()
    payload_hash = serializers.CharField()
    attempts = serializers.IntegerField(source="letter.attempts")
    last_owner = serializers.CharField(source="letter.last_owner", allow_blank=True)
    last_lease_expires_at = serializers.DateTimeField(
        source="letter.last_lease_expires_at", allow_null=True
    )
    correlation_id = serializers.CharField()
    trace_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(source="letter.created_at")
    retries = serializers.IntegerField(source="letter.retries")
    retried_at = serializers.DateTimeField(source="letter.retried_at", allow_null=True)
    retried_job_id = serializers.UUIDField(source="letter.retried_job_id", allow_null=True)
