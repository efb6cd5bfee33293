"""Commands and queues as /api/v1 shows them (seed 001; contract 001, 1.3)."""

from typing import Any

from rest_framework import serializers

from api.answers import AnswerSerializer, Body
from jobs.answers import JobSerializer
from jobs.commands import CommandStatus, SourceType
from jobs.models import Job, JobKind


def specified(kind: type[serializers.Field], name: str, **more: Any) -> serializers.Field:
    """A member of the specification that the command was made from."""
    return kind(source=f"job.specification.{name}", **more)


class CommandSerializer(AnswerSerializer):
    """A command as it is now; what it has not yet is null. Secrets are masked."""

    job_id = serializers.UUIDField()
    user_id = serializers.UUIDField(source="job.user_id", allow_null=True)
    name = serializers.CharField(source="job.name")
    status = serializers.ChoiceField(CommandStatus.choices)
    priority = serializers.IntegerField()
    created_at = serializers.DateTimeField(source="job.created_at")
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(source="task.claimed_at", allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    task_id = serializers.UUIDField(allow_null=True)
    worker_id = serializers.CharField(allow_null=True)
    exit_code = serializers.IntegerField(source="final_exit_code", allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    commit_sha = serializers.CharField()
    logs_object_key = serializers.CharField(allow_null=True)
    artifacts_object_key = serializers.CharField(allow_null=True)
    corndogs_task_id = serializers.UUIDField(allow_null=True)
    parent_job_id = serializers.UUIDField(source="parent_id", allow_null=True)
    retry_count = serializers.IntegerField()

    description = specified(serializers.CharField, "description")
    source_type = specified(serializers.ChoiceField, "source_type", choices=SourceType.choices)
    git_url = specified(serializers.CharField, "git_url")
    git_ref = specified(serializers.CharField, "git_ref")
    source_url = specified(serializers.CharField, "git_url")
    source_ref = specified(serializers.CharField, "git_ref")
    source_path = specified(serializers.CharField, "source_path")
    code_dir = specified(serializers.CharField, "code_dir")
    job_dir = specified(serializers.CharField, "job_dir")
    job_command = specified(serializers.CharField, "job_command")
    runner_image = specified(serializers.CharField, "runner_image")
    job_env_vars = serializers.DictField(source="shown_environment", child=serializers.CharField())
    job_env_secrets = specified(
        serializers.ListField, "job_env_secrets", child=serializers.CharField()
    )
    job_env_file = specified(serializers.CharField, "job_env_file")
    requires = specified(serializers.DictField, "requires", child=serializers.CharField())
    timeout_seconds = serializers.IntegerField()
    queue_name = specified(serializers.CharField, "queue_name")
    max_attempts = specified(serializers.IntegerField, "max_attempts")


class AnyJobSerializer(serializers.Serializer):
    """A sweep or a command, of which `progress.with_particulars` has been read."""

    @classmethod
    def shown(cls, row: Job) -> Body:
        if row.kind == JobKind.COMMAND:
            return CommandSerializer.shown(row.as_command)
        return JobSerializer.shown(row)

    def to_representation(self, instance: Job) -> Body:
        return self.shown(instance)


class QueueSerializer(AnswerSerializer):
    """A queue at this moment; `desired`: the runners that would be busy with it now.

    `more`: more tasks wait than are counted.
    """

    name = serializers.CharField()
    channel_id = serializers.UUIDField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    runners = serializers.IntegerField()
    desired = serializers.IntegerField()
    more = serializers.BooleanField()
    paused_at = serializers.DateTimeField(allow_null=True)
