"""What `things` reads, as it is answered."""

from rest_framework import serializers

from agents.models import Presence
from chains.models import ChainStatus
from dashboard.answers import (
    AgentRowSerializer,
    ChainRowSerializer,
    JobRowSerializer,
    TaskRowSerializer,
)
from jobs.models import JobStatus
from tasks.states import Status


class SurroundingsSerializer(serializers.Serializer):
    """A task as lists show it, what it belongs to, and what it has left."""

    task = TaskRowSerializer()
    has_log = serializers.BooleanField()
    has_files = serializers.BooleanField()
    chain = ChainRowSerializer(required=False)
    job = JobRowSerializer(required=False)


class LastFailureSerializer(serializers.Serializer):
    """The last attempt of an agent that did not end well."""

    at = serializers.DateTimeField()
    type = serializers.ChoiceField(["task.failed", "task.retried", "task.locked"])
    task_id = serializers.CharField()
    title = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)


class WorkSerializer(serializers.Serializer):
    """An agent, and how the tasks that it held last ended: `done` and `failed` of its attempts."""

    agent = AgentRowSerializer()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    tasks = TaskRowSerializer(many=True)
    version = serializers.CharField(required=False)
    first_seen_at = serializers.DateTimeField()
    last_failure = LastFailureSerializer(required=False)


class FoundTaskSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    channel_id = serializers.UUIDField()
    chain = serializers.CharField(required=False)


class FoundChainSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(ChainStatus.choices)
    channel_id = serializers.UUIDField()


class FoundJobSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(required=False)
    status = serializers.ChoiceField(JobStatus.choices)


class FoundAgentSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(required=False)
    presence = serializers.ChoiceField(Presence.choices)


class FoundChannelSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class FoundSerializer(serializers.Serializer):
    """The first few of each kind."""

    tasks = FoundTaskSerializer(many=True)
    chains = FoundChainSerializer(many=True)
    jobs = FoundJobSerializer(many=True)
    agents = FoundAgentSerializer(many=True)
    channels = FoundChannelSerializer(many=True)
