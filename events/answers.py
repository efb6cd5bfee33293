"""Events as /v1 shows them (contract 000-002, chapter 2), without empty fields."""

from rest_framework import serializers

from api.answers import AnswerSerializer
from events.models import Event, Source


class EventSerializer(AnswerSerializer):
    id = serializers.SerializerMethodField()
    agent_id = serializers.SerializerMethodField()
    type = serializers.CharField()
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]  # as fields have
    created_at = serializers.DateTimeField()
    task_id = serializers.CharField(required=False)
    chain_id = serializers.UUIDField(required=False)
    channel_id = serializers.UUIDField(required=False)
    job_id = serializers.UUIDField(required=False)
    payload = serializers.JSONField(required=False)
    idempotency_key = serializers.CharField(required=False)
    actor = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)
    request_id = serializers.CharField(required=False)

    def get_id(self, row: Event) -> str:
        return str(row.id)

    def get_agent_id(self, row: Event) -> str:
        return row.agent_id or ""
