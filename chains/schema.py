"""What the operations on chains, new tasks and `why` take and answer."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from api.schema import OneOrMany, answer, either, refused
from chains.answers import ChainSerializer, RetiredSerializer, WhyReasonSerializer
from chains.serializers import (
    MOST_TASKS,
    ChainEditRequestSerializer,
    ChainRequestSerializer,
    OwnerRequestSerializer,
    RetireRequestSerializer,
    SessionRequestSerializer,
    TaskRequestSerializer,
)
from tasks.schema import AGENT, OK, TASK, TASKS
from tasks.states import Status

CHAIN = answer("ChainAnswer", chain=ChainSerializer())

chains = extend_schema_view(
    create=extend_schema(
        request=ChainRequestSerializer,
        responses={201: CHAIN, **refused(s404="There is no such channel.")},
    ),
    retrieve=extend_schema(responses=CHAIN),
    update=extend_schema(
        request=ChainEditRequestSerializer,
        responses={200: CHAIN, **refused(s409="A chain's status follows; it cannot be set.")},
    ),
    destroy=extend_schema(
        responses={204: None, **refused(s409="A task of the chain is in progress or locked.")}
    ),
    detach=extend_schema(
        request=OwnerRequestSerializer,
        responses={200: OK, **refused(s409="The chain is not owned by this agent.")},
    ),
    assign_agent=extend_schema(
        request=OwnerRequestSerializer,
        responses={
            200: CHAIN,
            **refused(
                s404="There is no such chain, or no such agent.",
                s409="The chain cannot be assigned to this agent now.",
            ),
        },
    ),
)


class RetiredAgentSerializer(RetiredSerializer):
    """An agent that was retired, and what became of what it had."""

    agent_id = serializers.CharField()
    removed = serializers.BooleanField()


agents = extend_schema_view(
    request_session=extend_schema(
        request=SessionRequestSerializer,
        responses={201: TASK, **refused(s404="There is no such channel.")},
    ),
    chain=extend_schema(
        responses={200: CHAIN, **refused(s404="There is no such agent, or it owns no chain.")}
    ),
    retire=extend_schema(request=RetireRequestSerializer, responses=RetiredAgentSerializer),
)
agent_of_a_word = extend_schema(responses={200: AGENT, **refused(s404="No agent has this id.")})


class NewTasks(OneOrMany):
    """A new task, or a list of them."""

    kind = TaskRequestSerializer
    most = MOST_TASKS


tasks = extend_schema_view(
    create=extend_schema(
        request=NewTasks,
        responses={
            200: either("KnownTasks", TASK, TASKS),
            201: either("CreatedTasks", TASK, TASKS),
            **refused(s404="There is no such channel."),
        },
    ),
    why=extend_schema(
        responses=answer(
            "WhyAnswer",
            task_id=serializers.UUIDField(),
            status=serializers.ChoiceField(Status.choices),
            why=WhyReasonSerializer(many=True),
        )
    ),
)
