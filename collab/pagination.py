"""Pages of jobs, the newest first: `{items, count, nextCursor}` (contract 003, 1.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from api import sizes
from api.filters import APART, key_of
from api.pagination import Found, Key, ListPagination, look
from problems import Invalid

if TYPE_CHECKING:
    from rest_framework.views import APIView

M = TypeVar("M", bound=Model)

MOST = 100
USUAL = 20
NUMBER = re.compile("[0-9]{1,9}", re.ASCII)


class InvalidCursor(Invalid):
    """cursor must be one that this list has given, or a time like 2026-01-31T12:00:00Z"""

    code = "invalid_cursor"


def limit_in(request: Request, *, usual: int = USUAL, most: int = MOST) -> int:
    """How many rows a page may have."""
    text = request.query_params.get("limit", "")
    if not text:
        return usual
    if not NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        problem = Invalid(f"limit must be from 1 to {most}")
        problem.details = {"limit": [problem.message]}
        raise problem
    return int(text)


class NewestPagination(ListPagination):
    """Rows by their ids, which follow the times at which they were made, the newest first.

    The cursor has the time and the id of the last row, `<time>|<id>`; a time alone is taken too,
    and begins with what was made before it.
    """

    def paginate_queryset(  # type: ignore[override]  # it takes how the rows are found, too
        self, queryset: Found[M] | QuerySet[M], request: Request, view: APIView | None = None
    ) -> list[M]:
        """The rows of the requested page."""
        found = Found(queryset) if isinstance(queryset, QuerySet) else queryset
        size = limit_in(request)
        time, before = read(request.query_params.get("cursor", ""))

        def ordered(rows: QuerySet[M]) -> QuerySet[M]:
            rows = rows.order_by("-pk")
            if before is not None:
                return rows.filter(pk__lt=before)
            if time is not None:
                return rows.filter(created_at__lt=time, pk__lt=key_of(time, APART))
            return rows

        keys, end = look(found, "created_at", ordered, size)
        kept = sizes.fitting(found.rows, [key[0] for key in keys[:size]])
        last = keys[len(kept) - 1] if len(kept) < len(keys) else end
        self.next_cursor = written(last) if last else None
        return sizes.in_order(found.rows, kept)

    def get_paginated_response(self, data: list[object]) -> Response:  # type: ignore[override]
        return Response({"items": data, "count": len(data), "nextCursor": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, object]) -> dict[str, object]:
        return {
            "type": "object",
            "required": ["items", "count", "nextCursor"],
            "properties": {
                "items": schema,
                "count": {"type": "integer"},
                "nextCursor": {"type": ["string", "null"]},
                "trace_id": {"type": "string"},
            },
            "additionalProperties": False,
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, object]]:
        limits = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
        return [
            {"name": "limit", "in": "query", "description": "Rows of a page.", "schema": limits},
            {
                "name": "cursor",
                "in": "query",
                "description": "`nextCursor` of the page before, or a time.",
                "schema": {"type": "string"},
            },
        ]


class FunctionPagination(NewestPagination):
    """The same with the time of the answer, `ts`."""

    named = "PageOfFunction"

    def get_paginated_response(self, data: list[object]) -> Response:  # type: ignore[override]
        page = super().get_paginated_response(data)
        page.data["ts"] = timezone.now()
        return page

    def get_paginated_response_schema(self, schema: dict[str, object]) -> dict[str, object]:
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        properties = page["properties"] | {"ts": {"type": "string", "format": "date-time"}}
        return page | {"required": [*page["required"], "ts"], "properties": properties}


def written(last: Key) -> str:
    pk, created_at = last
    return f"{created_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}|{pk}"


def read(cursor: str) -> tuple[datetime | None, UUID | None]:
    """The time and the id of a cursor; a time alone has none. Raises InvalidCursor."""
    if not cursor:
        return None, None
    time, bar, last = cursor.partition("|")
    try:
        at = datetime.fromisoformat(time)
        if at.tzinfo is None:
            raise InvalidCursor
        return at.astimezone(UTC), UUID(last) if bar else None
    except (ValueError, OverflowError):
        raise InvalidCursor from None
