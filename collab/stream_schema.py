"""What the streams of jobs take and answer."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from accounts.schema import QueryTokenScheme, TokenScheme
from api.schema import refused
from collab.schema import ApikeyScheme


class StreamApikeyScheme(ApikeyScheme):
    """The same, or in the query."""

    target_class = "collab.authentication.StreamApikeyAuthentication"
    name = ["apikeyQuery"]
    definitions = [{"type": "apiKey", "in": "query", "name": "apikey"}]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        names = [*TokenScheme.name, *ApikeyScheme.name, *QueryTokenScheme.name, *self.name]
        return [{name: []} for name in names]


STREAMED = {(200, "text/event-stream"): OpenApiTypes.STR}
EVENT_ID = {"type": "string", "pattern": "^[0-9]{0,18}$"}
MILLISECONDS = {"type": "integer", "minimum": 0, "maximum": 86_400_000}
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    EVENT_ID,
    OpenApiParameter.HEADER,
    description="The last event that the client has; browsers send it.",
)

job_events = extend_schema_view(
    get=extend_schema(
        operation_id="job_events",
        parameters=[
            OpenApiParameter("id", OpenApiTypes.UUID, required=True, description="The job."),
            OpenApiParameter(
                "idle_close_ms", MILLISECONDS, description="End after so long without an event."
            ),
            OpenApiParameter("max_ms", MILLISECONDS, description="End after so long in any case."),
            OpenApiParameter(
                "last_event_ts", OpenApiTypes.DATETIME, description="Only events after this time."
            ),
            LAST_EVENT_ID,
            OpenApiParameter("last_event_id", EVENT_ID, description="The same, in the query."),
        ],
        responses={**STREAMED, **refused(s404="There is no such job.")},
    )
)
event_stream = extend_schema_view(
    get=extend_schema(
        operation_id="collab_event_stream",
        parameters=[
            OpenApiParameter("id", OpenApiTypes.UUID, description="Of this job alone."),
            LAST_EVENT_ID,
            OpenApiParameter("after", EVENT_ID, description="The same, in the query."),
        ],
        responses={**STREAMED, **refused(s404="There is no such job.")},
    )
)
