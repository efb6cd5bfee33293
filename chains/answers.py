"""Chains and reasons as /v1 shows them (contract 000-002, chapter 2)."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Presence
from api.answers import AnswerSerializer, Body
from chains.models import ChainStatus, OnFailure
from tasks.states import Status


class ChainSerializer(AnswerSerializer):
    id = serializers.UUIDField()
    channel_id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(ChainStatus.choices)
    on_failure = serializers.ChoiceField(OnFailure.choices)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    user_id = serializers.UUIDField(required=False)
    description = serializers.CharField(required=False)
    owner_agent_id = serializers.CharField(source="owner_id", required=False)


class RemedySerializer(AnswerSerializer):
    """A verb and what to use it on."""

    kind = serializers.CharField()
    id = serializers.CharField()
    verb = serializers.CharField()


@extend_schema_field({"type": ["boolean", "integer"]})
class DrainingField(serializers.Field):
    """Whether the agent is draining; how many are, where it is said of all."""


class ParticularsSerializer(serializers.Serializer):
    """What a reason says besides, each kind of reason something else."""

    chain_id = serializers.UUIDField(required=False, allow_null=True)
    channel_id = serializers.UUIDField(required=False)
    channel = serializers.CharField(required=False)
    blocking_task_id = serializers.UUIDField(required=False)
    sequence = serializers.IntegerField(required=False)
    status = serializers.ChoiceField(Status.choices, required=False)
    agent_id = serializers.CharField(required=False, allow_null=True)
    presence = serializers.ChoiceField(Presence.choices, required=False)
    online = serializers.BooleanField(required=False)
    last_seen_at = serializers.DateTimeField(required=False)
    draining = DrainingField(required=False)
    absent = serializers.IntegerField(required=False)
    paused_at = serializers.DateTimeField(required=False)
    pause_reason = serializers.CharField(required=False)
    wants = serializers.DictField(child=serializers.CharField(), required=False)
    refused_by = serializers.ListField(child=serializers.CharField(), required=False)
    available_at = serializers.DateTimeField(required=False)
    attempts = serializers.IntegerField(required=False)
    position = serializers.IntegerField(required=False)
    more = serializers.BooleanField(required=False)
    dead_letter = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)
    cancel_asked_at = serializers.DateTimeField(required=False)
    claimed_at = serializers.DateTimeField(required=False, allow_null=True)
    lease_expires_at = serializers.DateTimeField(required=False, allow_null=True)
    finished_at = serializers.DateTimeField(required=False, allow_null=True)
    queue = serializers.CharField(required=False)
    corndogs_task_id = serializers.UUIDField(required=False, allow_null=True)
    last_error = serializers.CharField(required=False)
    due_at = serializers.DateTimeField(required=False)


class WhyReasonSerializer(AnswerSerializer):
    """One reason, with particulars of its own; `do` names the verb that removes it, if any."""

    further = ParticularsSerializer

    code = serializers.CharField()
    text = serializers.CharField()
    remedy = serializers.CharField(required=False)
    do = RemedySerializer(required=False)

    def to_representation(self, instance: Any) -> Body:
        return {**super().to_representation(instance), **instance.data}


class TakenTaskSerializer(AnswerSerializer):
    """A task that was taken from an agent."""

    id = serializers.UUIDField(source="task_id")
    was = serializers.ChoiceField(Status.choices)
    status = serializers.ChoiceField(Status.choices, source="now")


class RetiredSerializer(AnswerSerializer):
    """What became of what an agent had that was retired."""

    tasks = TakenTaskSerializer(many=True)
    detached_chain_id = serializers.UUIDField(source="detached", required=False)
