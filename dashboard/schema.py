"""What the operations of the console and the streams take and answer."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from agents.answers import ListedAgentSerializer, NotificationSerializer
from api.schema import answer, either, refused
from chains.answers import ChainSerializer
from dashboard.answers import (
    CARRIED_OUT,
    PREVIEWED,
    BoardSerializer,
    ChainRowSerializer,
    ChangesSerializer,
    JobRowSerializer,
    OverviewSerializer,
    PlotSerializer,
    TaskRowSerializer,
    UsageSerializer,
    VerbSerializer,
    or_gone,
)
from dashboard.number_answers import FindingSerializer, SeriesSerializer, integers, texts
from dashboard.serializers import DismissFindingRequestSerializer
from dashboard.thing_answers import FoundSerializer, SurroundingsSerializer, WorkSerializer
from events.answers import EventSerializer
from routing.usage import GROUPS
from tasks.answers import ChannelSerializer
from tasks.schema import OK
from tasks.series import RANGES

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("agents", "chains", "channels", "jobs", "tasks")

AFTER = OpenApiParameter("after", str, description="`next` of the page before.")
NATURAL = {"type": "integer", "minimum": 0, "maximum": 10**9 - 1}
LIMIT = OpenApiParameter("limit", NATURAL, description="The most rows of a page.")
CHANNEL = OpenApiParameter("channel", OpenApiTypes.UUID, description="The id of a channel.")
EVENT_ID = {"type": "string", "pattern": "^[0-9]{0,18}$"}
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    EVENT_ID,
    OpenApiParameter.HEADER,
    description="Where to go on; or in the query.",
)


def resumed(name: str) -> list[OpenApiParameter]:
    return [LAST_EVENT_ID, OpenApiParameter(name, EVENT_ID, description="Where to go on.")]


STREAMED = {(200, "text/event-stream"): OpenApiTypes.STR}

dashboard = extend_schema_view(
    list=extend_schema(
        summary="Show a bounded picture of the coordinator",
        responses=answer(
            "Dashboard",
            agents=ListedAgentSerializer(many=True),
            channels=ChannelSerializer(many=True),
            chains=ChainSerializer(many=True),
            tasks=TaskRowSerializer(many=True),
            events=EventSerializer(many=True),
            counts=integers(),
            counts_estimated=texts(),
        ),
    )
)

console = extend_schema_view(
    overview=extend_schema(responses=OverviewSerializer),
    board=extend_schema(
        parameters=[CHANNEL, AFTER, LIMIT],
        responses={200: BoardSerializer, **refused(s404="There is no such channel.")},
    ),
    tasks=extend_schema(
        parameters=[
            OpenApiParameter("ids", str, description="Up to 200 ids, with commas between them."),
            OpenApiParameter("column", str, enum=["queued", "in_progress", "done"]),
            CHANNEL,
            AFTER,
            LIMIT,
        ],
        responses={
            200: answer(
                "TaskRows",
                tasks=or_gone("ChangedTask", TaskRowSerializer),
                next=serializers.CharField(required=False),
            ),
            **refused(s404="There is no such channel."),
        },
    ),
    chain=extend_schema(responses=answer("ChainRowAnswer", chain=ChainRowSerializer())),
    steps=extend_schema(
        parameters=[
            OpenApiParameter("after", NATURAL, description="The last sequence known."),
            LIMIT,
        ],
        responses=answer(
            "Steps",
            tasks=TaskRowSerializer(many=True),
            next=serializers.IntegerField(required=False),
        ),
    ),
    surroundings=extend_schema(responses=SurroundingsSerializer),
    work=extend_schema(responses=WorkSerializer),
    find=extend_schema(
        parameters=[OpenApiParameter("text", str, description="A part of a name, or of an id.")],
        responses=FoundSerializer,
    ),
    usage=extend_schema(
        parameters=[
            OpenApiParameter("by", str, enum=[*GROUPS], description="What the rows are of."),
            OpenApiParameter("days", {"type": "integer", "minimum": 1, "maximum": 366}),
        ],
        responses=UsageSerializer,
    ),
    dismiss=extend_schema(
        request=DismissFindingRequestSerializer,
        responses={200: OK, **refused(s404="Nothing of this key needs a person now.")},
    ),
    series=extend_schema(
        parameters=[
            OpenApiParameter("range", str, enum=[*RANGES], description="How far it reaches back."),
            CHANNEL,
        ],
        responses={200: SeriesSerializer, **refused(s404="There is no such channel.")},
    ),
    jobs=extend_schema(
        parameters=[AFTER],
        responses=answer(
            "JobRows",
            jobs=JobRowSerializer(many=True),
            next=serializers.CharField(required=False),
        ),
    ),
    plot=extend_schema(responses=PlotSerializer),
)

notifications = extend_schema_view(
    list=extend_schema(
        responses=answer(
            "NotificationPage",
            notifications=NotificationSerializer(many=True),
            attention=FindingSerializer(many=True, required=False),
            next_cursor=serializers.CharField(required=False),
        )
    )
)

verbs = extend_schema_view(
    get=extend_schema(
        operation_id="console_verbs",
        responses=answer("Verbs", **{kind: VerbSerializer(many=True) for kind in KINDS}),
    )
)

stream = extend_schema_view(
    get=extend_schema(
        operation_id="stream", parameters=resumed("last_event_id"), responses=STREAMED
    )
)
live_stream = extend_schema_view(
    get=extend_schema(
        operation_id="console_stream", parameters=resumed("cursor"), responses=STREAMED
    )
)
changes = extend_schema_view(
    get=extend_schema(
        operation_id="console_changes", parameters=resumed("cursor"), responses=ChangesSerializer
    )
)


def act(request: type[serializers.Serializer]) -> Callable[[F], F]:
    """A verb on objects of one kind; its request is known to `acts`, which knows this module."""
    return extend_schema_view(
        post=extend_schema(
            operation_id="console_act",
            parameters=[
                OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=KINDS),
                OpenApiParameter("name", str, OpenApiParameter.PATH, description="Of the verb."),
            ],
            request=request,
            responses=either("VerbAnswer", CARRIED_OUT, PREVIEWED),
        )
    )
