"""What the operations of search take and answer."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from api.fields import NOT_BLANK
from search.answers import CodeSerializer, DocumentsSerializer
from search.finding import LONGEST, MOST, USUAL
from search.models import Source

Q = OpenApiParameter(
    "q",
    {"type": "string", "pattern": NOT_BLANK, "maxLength": LONGEST},
    required=True,
    description="What to look for.",
)
K = OpenApiParameter(
    "k",
    {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    description="How many to show at most.",
)
SOURCE = OpenApiParameter(
    "source",
    {"type": "string", "enum": list(Source.values)},
    description="Only of this source; else of all.",
)

searches = extend_schema_view(
    docs=extend_schema(parameters=[Q, K, SOURCE], responses=DocumentsSerializer),
    code=extend_schema(parameters=[Q, K], responses=CodeSerializer),
)
