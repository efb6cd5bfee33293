"""Channels, tasks and inputs as /v1 shows them (contract 000-002, chapter 2)."""

from datetime import datetime

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api import sizes
from api.answers import AnswerSerializer, Body, ErrorSerializer
from api.pagination import MOST
from tasks import lease_tokens, moves, requirements
from tasks.models import COMMAND, Task
from tasks.reports import Verdict
from tasks.rows import TaskRow
from tasks.states import Status

Row = Task | TaskRow


class ChannelSerializer(AnswerSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    user_id = serializers.UUIDField(required=False)
    description = serializers.CharField(required=False)
    paused_at = serializers.DateTimeField(required=False)
    pause_reason = serializers.CharField(required=False)


class TaskSerializer(AnswerSerializer):
    """A task without its empty fields, but with any result.

    The token of a session request is shown while the task is queued.
    """

    id = serializers.UUIDField()
    channel_id = serializers.UUIDField()
    title = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    priority = serializers.IntegerField()
    lease_epoch = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    chain_id = serializers.UUIDField(required=False)
    sequence = serializers.SerializerMethodField()
    payload = serializers.SerializerMethodField()
    user_id = serializers.UUIDField(required=False)
    job_id = serializers.UUIDField(required=False)
    description = serializers.CharField(required=False)
    type = serializers.CharField(required=False)
    execution_mode = serializers.CharField(required=False)
    idempotency_key = serializers.CharField(required=False)
    trace = serializers.CharField(required=False)
    claimed_at = serializers.DateTimeField(required=False)
    lease_expires_at = serializers.DateTimeField(required=False)
    attempts = serializers.IntegerField(required=False)
    blocked = serializers.BooleanField(required=False)
    cancel_asked_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(required=False)
    fail_reason = serializers.CharField(required=False)
    dead_letter = serializers.CharField(required=False)
    assigned_agent_id = serializers.CharField(source="agent_id", required=False)
    reserved_for = serializers.CharField(source="reserved_for_id", required=False)
    available_at = serializers.SerializerMethodField()
    done_at = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    agent_session_request_token = serializers.SerializerMethodField()

    def get_sequence(self, row: Row) -> int | None:
        return row.sequence if row.chain_id else None

    @extend_schema_field(OpenApiTypes.ANY)
    def get_payload(self, row: Row) -> object:
        # A row of a statement holds its JSON as the database wrote it.
        if isinstance(row, TaskRow):
            return orjson.Fragment(row.payload) if row.payload != "{}" else None
        return row.payload or None

    def get_available_at(self, row: Row) -> datetime | None:
        return row.available_at if row.postponed else None

    def get_done_at(self, row: Row) -> datetime | None:
        return row.finished_at if row.status == Status.DONE else None

    @extend_schema_field(OpenApiTypes.ANY)
    def get_result(self, row: Row) -> object:
        if isinstance(row, TaskRow) and row.result is not None:
            return orjson.Fragment(row.result)
        return row.result

    def get_agent_session_request_token(self, row: Row) -> str | None:
        return row.session_token or None if row.status == Status.QUEUED else None


class AssignedTaskSerializer(TaskSerializer):
    """The same, with the token of a session request for the agent that gets it."""

    def get_agent_session_request_token(self, row: Row) -> str | None:
        return row.session_token or None


class ClaimedTaskSerializer(TaskSerializer):
    """The same, for a command with the token of its lease."""

    lease_token = serializers.SerializerMethodField()

    def get_lease_token(self, row: Row) -> str | None:
        return lease_tokens.of(row.id, row.lease_epoch) if row.type == COMMAND else None


class AttemptSerializer(AnswerSerializer):
    """An attempt that did not end well."""

    lease_epoch = serializers.IntegerField(source="epoch")
    agent_id = serializers.CharField()
    outcome = serializers.CharField()
    ended_at = serializers.DateTimeField()
    reason = serializers.CharField(required=False)
    started_at = serializers.DateTimeField(required=False)


class TaskDetailsSerializer(TaskSerializer):
    """Further fields of a single task.

    `unserved`: it is queued, and no online agent offers what it wants. `restorable`: it is
    cancelled, and nobody has noticed, so an operator may put it back. The attempts are the latest,
    as many as a page may have.
    """

    bad_attempts = serializers.SerializerMethodField()
    wants = serializers.DictField(source="requirement.wants", required=False)
    requires = serializers.DictField(source="requirement.requires", required=False)
    refused_by = serializers.ListField(source="requirement.refused_by", required=False)
    unserved = serializers.SerializerMethodField()
    restorable = serializers.SerializerMethodField()
    retry_delay_seconds = serializers.IntegerField(required=False)

    @extend_schema_field(AttemptSerializer(many=True))
    def get_bad_attempts(self, row: Task) -> list[Body] | None:
        latest = sizes.first(row.bad_attempts.order_by("-epoch"), MOST)
        return [AttemptSerializer.shown(attempt) for attempt in reversed(latest)] or None

    def get_restorable(self, row: Task) -> bool | None:
        if row.status != Status.CANCELLED:
            return None
        return Task.objects.filter(moves.restorable(), pk=row.pk).exists() or None

    def get_unserved(self, row: Task) -> bool | None:
        if row.status != Status.QUEUED or row.requirement is None:
            return None
        present = requirements.present(row.protocol)
        return not requirements.is_served(row.requirement, present) or None


class DeadLetterSerializer(TaskSerializer):
    bad_attempts_count = serializers.IntegerField()


class TaskInputSerializer(AnswerSerializer):
    id = serializers.UUIDField()
    task_id = serializers.UUIDField()
    agent_id = serializers.CharField()
    kind = serializers.CharField()
    send_enter = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    text = serializers.CharField(required=False)
    idempotency_key = serializers.CharField(required=False)
    claimed_at = serializers.DateTimeField(required=False)


class OutcomeVerdictSerializer(AnswerSerializer):
    """What became of one outcome of a report."""

    task_id = serializers.CharField(required=False)
    answer = serializers.ChoiceField([verdict.value for verdict in Verdict], source="verdict")
    error = ErrorSerializer(source="problem", required=False)
