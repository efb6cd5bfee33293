"""What the operations of the metrics take and answer."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from metrics.answers import MetricsHealthSerializer, SummarySerializer

TEXT = {(200, "text/plain"): OpenApiTypes.STR}
FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, description="By default a day before `to`.")
TO = OpenApiParameter("to", OpenApiTypes.DATETIME, description="By default now; not included.")
SINCE = OpenApiParameter(
    "since_min",
    {"type": "integer", "minimum": 1, "maximum": 43_200, "default": 60},
    description="How many minutes to look back.",
)

scrape = extend_schema_view(
    get=extend_schema(operation_id="metrics", summary="Show all metrics", responses=TEXT)
)
summaries = extend_schema_view(
    summary=extend_schema(parameters=[FROM, TO], responses=SummarySerializer),
    health=extend_schema(parameters=[SINCE], responses=MetricsHealthSerializer),
)
