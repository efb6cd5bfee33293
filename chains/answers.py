"""Chains and reasons as /v1 shows them (contract 000-002, chapter 2)."""

from typing import Any

from rest_framework import serializers

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


class WhyReasonSerializer(AnswerSerializer):
    """One reason, with particulars of its own; `do` names the verb that removes it, if any."""

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
