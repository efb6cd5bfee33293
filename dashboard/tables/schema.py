"""What the operations of the tables take and answer."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from api.pagination import MOST
from api.schema import refused
from dashboard.tables.answers import (
    AgentTableRowSerializer,
    LetterGroupsSerializer,
    LetterRowSerializer,
    MatchingSerializer,
    UseRowSerializer,
    UseSerializer,
    page,
)

AFTER = OpenApiParameter("after", str, description="`next` of the page before.")
LIMIT = OpenApiParameter("limit", int, description=f"Rows of a page, at most {MOST}.")


def sorts(
    *names: str, description: str = "The order; the first where none is given."
) -> OpenApiParameter:
    return OpenApiParameter("sort", str, enum=names, description=description)


TASK_SORT = sorts(
    *("newest", "oldest", "ended", "queue"),
    description="The order; `newest` where none is given. `ended`: those that ended last come"
    " first, and others are left out. `queue`: what one channel gives out next.",
)
IDS_OF_CHANNEL = [
    OpenApiParameter("channel_id", OpenApiTypes.UUID),
    OpenApiParameter("dead_letter", str),
    OpenApiParameter("finished_after", OpenApiTypes.DATETIME),
    OpenApiParameter("finished_before", OpenApiTypes.DATETIME),
]
GROUP = OpenApiParameter("group", str, description="The id of a group; all where none is given.")
USE_FILTERS = [
    OpenApiParameter("actor", str),
    OpenApiParameter("verb", str),
    OpenApiParameter("kind", str),
    OpenApiParameter("refused", bool, description="Where it was refused on some row."),
    OpenApiParameter("created_after", OpenApiTypes.DATETIME),
    OpenApiParameter("created_before", OpenApiTypes.DATETIME),
]

tasks = extend_schema_view(
    list=extend_schema(parameters=[TASK_SORT]),
    ids=extend_schema(parameters=[TASK_SORT], responses=MatchingSerializer),
)
agents = extend_schema_view(
    list=extend_schema(
        parameters=[AFTER, LIMIT],
        responses=page("AgentTable", "agents", AgentTableRowSerializer(many=True)),
    )
)
letters = extend_schema_view(
    list=extend_schema(parameters=IDS_OF_CHANNEL, responses=LetterGroupsSerializer),
    letters=extend_schema(
        parameters=[GROUP, *IDS_OF_CHANNEL, AFTER, LIMIT],
        responses=page("LetterRows", "tasks", LetterRowSerializer(many=True)),
    ),
    ids=extend_schema(parameters=[GROUP, *IDS_OF_CHANNEL], responses=MatchingSerializer),
)
jobs = extend_schema_view(list=extend_schema(parameters=[sorts("newest", "oldest")]))
actions = extend_schema_view(
    list=extend_schema(
        parameters=[*USE_FILTERS, AFTER, LIMIT],
        responses=page("UsesOfVerbs", "uses", UseSerializer(many=True)),
    ),
    retrieve=extend_schema(
        parameters=[
            OpenApiParameter("use_id", str, OpenApiParameter.PATH, description="Of its first row."),
            AFTER,
            LIMIT,
        ],
        responses={
            200: page("UseRows", "rows", UseRowSerializer(many=True)),
            **refused(s404="There is no such use."),
        },
    ),
)
