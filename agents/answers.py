"""Agents and notifications as /v1 shows them (contract 000-002, chapter 2)."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Activity, Agent, NotificationType, Protocol
from api.answers import AnswerSerializer


class AgentSerializer(AnswerSerializer):
    """An agent that knows its current task."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(Activity.choices, source="activity")
    claude_status = serializers.ChoiceField(Activity.choices, source="activity")
    last_seen = serializers.DateTimeField(source="last_seen_at")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    user_id = serializers.UUIDField(required=False)
    current_task_id = serializers.UUIDField(required=False)
    meta = serializers.SerializerMethodField()
    protocol = serializers.ChoiceField(Protocol.choices, required=False)
    incarnation = serializers.CharField(required=False)
    capabilities = serializers.DictField(source="offers", required=False)
    capacity = serializers.IntegerField(required=False)
    draining = serializers.BooleanField(required=False)

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_meta(self, row: Agent) -> dict[str, object] | None:
        chosen = {"subscriptions": row.subscriptions} if row.subscriptions else {}
        return row.meta | chosen or None


class ListedAgentSerializer(AgentSerializer):
    worker_status = serializers.SerializerMethodField()

    def get_worker_status(self, row: Agent) -> str:
        return "online" if row.online else "offline"


class NotificationSerializer(AnswerSerializer):
    key = serializers.SerializerMethodField()
    agent_id = serializers.CharField()
    agent_name = serializers.CharField(source="agent.name")
    type = serializers.ChoiceField(NotificationType.choices)
    channel = serializers.CharField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    user_id = serializers.UUIDField(source="agent.user_id", required=False)

    def get_key(self, row: object) -> str:
        return str(row)
