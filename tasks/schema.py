"""What the operations on channels, tasks, agents and dead letters take and answer."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from agents.answers import AgentSerializer
from api.schema import answer, either, refused
from tasks.answers import (
    AssignedTaskSerializer,
    ChannelSerializer,
    ClaimedTaskSerializer,
    OutcomeVerdictSerializer,
    TaskDetailsSerializer,
    TaskInputSerializer,
    TaskSerializer,
)
from tasks.serializers import (
    AssignRequestSerializer,
    CancelRequestSerializer,
    ChannelRequestSerializer,
    ClaimRequestSerializer,
    CompleteRequestSerializer,
    DismissRequestSerializer,
    FailRequestSerializer,
    HeartbeatRequestSerializer,
    HolderRequestSerializer,
    InputClaimRequestSerializer,
    InputRequestSerializer,
    ReasonRequestSerializer,
    ReleaseRequestSerializer,
    RenewRequestSerializer,
    ReportRequestSerializer,
    StatusRequestSerializer,
    SubscriptionsRequestSerializer,
)

F = TypeVar("F", bound=Callable[..., Any])


class LeaseScheme(OpenApiAuthenticationExtension):
    """The token of a lease."""

    target_class = "tasks.lease_tokens.LeaseAuthentication"
    name = "lease"

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        view: Any = auto_schema.view
        action = getattr(view, "action", None) or auto_schema.method.lower()
        may = action in getattr(view, "leases_may", ())
        return [{self.name: []}] if may else []

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        said = "`lease_token` of a claimed command: for that task, until its lease ends."
        return {"type": "http", "scheme": "bearer", "description": said}


OK = answer("Ok", ok=serializers.BooleanField())
AGENT = answer("AgentAnswer", agent=AgentSerializer())
CHANNEL = answer("ChannelAnswer", channel=ChannelSerializer())
INPUT = answer("TaskInputAnswer", input=TaskInputSerializer())
TASK = answer("TaskAnswer", task=TaskSerializer())
TASKS = answer("TasksAnswer", tasks=TaskSerializer(many=True))
CLAIMED = either(
    "ClaimAnswer",
    answer("ClaimedTaskAnswer", task=ClaimedTaskSerializer()),
    answer("ClaimedTasksAnswer", tasks=ClaimedTaskSerializer(many=True)),
)


class RefusedTaskSerializer(serializers.Serializer):
    """A task that a verb refused, and why."""

    id = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


def ids(*, required: bool = True) -> serializers.ListField:
    return serializers.ListField(child=serializers.UUIDField(), required=required)


channels = extend_schema_view(
    create=extend_schema(
        request=ChannelRequestSerializer,
        responses={201: CHANNEL, **refused(s409="A channel of this name exists.")},
    ),
    by_name=extend_schema(responses=CHANNEL),
    pause=extend_schema(request=ReasonRequestSerializer, responses=CHANNEL),
    resume=extend_schema(request=ReasonRequestSerializer, responses=CHANNEL),
)

WAIT_SECONDS = OpenApiParameter(
    "wait_seconds",
    {"type": "integer", "minimum": 0, "maximum": 30},
    description="How long to wait while there is no task. Without it, the answer comes at once.",
)
claim = extend_schema(
    request=ClaimRequestSerializer,
    parameters=[WAIT_SECONDS],
    responses={
        200: CLAIMED,
        **refused(
            s404="There is no task for this agent now, and the request has no `max_tasks`.",
            s409="A newer process uses the id of this agent.",
        ),
    },
)
NOT_HELD = "The task is not held by this agent, or by a later lease."
outcome = {200: TASK, **refused(404, s409="The outcome does not count: it is not this agent's.")}

tasks = extend_schema_view(
    retrieve=extend_schema(responses=answer("TaskDetailsAnswer", task=TaskDetailsSerializer())),
    claim=claim,
    report=extend_schema(
        request=ReportRequestSerializer,
        responses={
            200: answer(
                "ReportAnswer",
                outcomes=OutcomeVerdictSerializer(many=True),
                tasks=ClaimedTaskSerializer(many=True, required=False),
            ),
        },
    ),
    assign=extend_schema(
        request=AssignRequestSerializer,
        responses={
            200: answer("AssignedTaskAnswer", task=AssignedTaskSerializer()),
            **refused(404, s409="The task cannot be assigned to this agent now."),
        },
    ),
    complete=extend_schema(request=CompleteRequestSerializer, responses=outcome),
    fail=extend_schema(request=FailRequestSerializer, responses=outcome),
    inputs=extend_schema(
        request=InputRequestSerializer, responses={201: INPUT, **refused(s404="No such task.")}
    ),
    claim_input=extend_schema(
        request=InputClaimRequestSerializer,
        responses={200: INPUT, **refused(s404="There is no input for this task and agent.")},
    ),
    unlock=extend_schema(
        request=StatusRequestSerializer,
        responses={200: TASK, **refused(s409="The task is not locked, or it is another status.")},
    ),
    cancel=extend_schema(
        request=CancelRequestSerializer,
        responses={200: TASK, **refused(s409="The task has ended.")},
    ),
    requeue=extend_schema(
        request=ReasonRequestSerializer,
        responses={200: TASK, **refused(s409="The task has not failed.")},
    ),
    renew=extend_schema(
        request=RenewRequestSerializer,
        responses={
            200: answer(
                "RenewAnswer", task=TaskSerializer(), cancel_asked=serializers.BooleanField()
            ),
            **refused(s409=NOT_HELD),
        },
    ),
    secrets=extend_schema(
        request=HolderRequestSerializer,
        responses={
            200: answer(
                "SecretsAnswer", secrets=serializers.DictField(child=serializers.CharField())
            ),
            **refused(s409=NOT_HELD),
        },
    ),
    release=extend_schema(
        request=ReleaseRequestSerializer, responses={200: TASK, **refused(s409=NOT_HELD)}
    ),
)

waiting_claim = extend_schema_view(
    post=extend_schema(
        operation_id="task_claim_wait",
        request=ClaimRequestSerializer,
        parameters=[
            OpenApiParameter("wait_seconds", WAIT_SECONDS.type, required=True),
        ],
        responses={200: CLAIMED, **refused(404, 409)},
    )
)

agents = extend_schema_view(
    retrieve=extend_schema(responses=AGENT),
    heartbeat=extend_schema(
        request=HeartbeatRequestSerializer,
        responses={
            200: answer(
                "HeartbeatAnswer",
                agent=AgentSerializer(),
                renewed=ids(),
                lost=serializers.ListField(child=serializers.CharField()),  # as they were sent
                cancel_asked=ids(),
                drain=serializers.BooleanField(),
                unlisted=ids(required=False),
                ignored=serializers.DictField(child=serializers.CharField(), required=False),
            ),
            **refused(s409="A newer process uses the id of this agent."),
        },
    ),
    current_task=extend_schema(responses=TASK),
    channels=extend_schema(request=SubscriptionsRequestSerializer, responses=AGENT),
    drain=extend_schema(request=ReasonRequestSerializer, responses=AGENT),
    resume=extend_schema(request=ReasonRequestSerializer, responses=AGENT),
)
agent_of_a_word = extend_schema(responses={200: AGENT, **refused(s404="No agent has this id.")})

notifications = extend_schema_view(
    dismiss=extend_schema(request=DismissRequestSerializer, responses=OK)
)


def each(past: str, request: type[serializers.Serializer]) -> Callable[[F], F]:
    """A verb on many dead letters: how many there were, and which of them were refused."""
    members: dict[str, serializers.Field] = {
        past: serializers.IntegerField(),
        "refused": RefusedTaskSerializer(many=True),
        "more": serializers.BooleanField(required=False),
    }
    return extend_schema(request=request, responses=answer(f"{past.capitalize()}Answer", **members))
