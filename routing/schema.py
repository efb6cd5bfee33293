"""What the operations of routing take and answer."""

from drf_spectacular.utils import OpenApiParameter, extend_schema

from api.schema import refused
from artifacts.schema import header
from routing.answers import RouterSelectSerializer, RoutingMetricsSerializer
from routing.candidates import Service
from routing.serializers import RouterSelectRequestSerializer

MOST_RECENT = 100
USUAL_RECENT = 20

select = extend_schema(
    request=RouterSelectRequestSerializer,
    parameters=[header("Content-SHA256", "Of the body, in hexadecimal digits; it is verified.")],
    responses={
        200: RouterSelectSerializer,
        **refused(s422="The body is not what `Content-SHA256` says (`checksum_mismatch`)."),
    },
)
metrics = extend_schema(
    parameters=[
        OpenApiParameter("service", {"type": "string", "enum": [*Service.values]}, required=True),
        OpenApiParameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_RECENT, "default": USUAL_RECENT},
            description="How many of the latest calls.",
        ),
    ],
    responses=RoutingMetricsSerializer,
)
