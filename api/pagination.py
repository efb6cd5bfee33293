"""Keyset pages: each begins after the last row of the page before, even if the list has changed.

A page is bounded in rows, in bytes, and in how much is looked through for it; it may therefore be
shorter than asked, or empty, and has a cursor all the same while there is more.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

import orjson
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, QuerySet
from django.utils import timezone
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from api import sizes
from problems import Invalid

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView

M = TypeVar("M", bound=Model)

MOST = 500
LONGEST_OFFSET = 15  # digits
OFFSETS = {"type": "integer", "minimum": 0, "maximum": 10**LONGEST_OFFSET - 1}
"""Of a page, as the API's schema has them."""
MOST_ALIKE = 1_000_000  # rows that share one value of the first column
LOOKS = (1_000, 10_000)
"""How many rows are looked through for a page where no index has just those that are asked for."""


class BadCursor(Invalid):
    """cursor must be one that this list has given"""


def requested_size(request: Request, usual: int = MOST) -> int:
    text = request.query_params.get("limit", "")
    if not text:
        return usual
    try:
        limit = int(text)
    except ValueError:
        raise Invalid("limit must be a whole number") from None
    return limit if 0 < limit <= MOST else MOST


def requested_offset(request: Request) -> int:
    """How many rows to skip, where a list is paged by `offset` instead of a cursor."""
    text = request.query_params.get("offset", "") or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_OFFSET:
        raise Invalid("offset must be a whole number of 0 or more")
    return int(text)


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """The rows of a list, and how they are found.

    `walks`: rows among which they are, each in the list's order by an index. One of them is looked
    through, so far and no farther. Empty where an index has just the rows themselves.
    """

    rows: QuerySet[M]
    walks: Sequence[QuerySet[M]] = ()


Key = tuple[Any, ...]
"""A row's primary key and the value of the column that orders it."""


def look(
    found: Found[M],
    column: str,
    ordered: Callable[[QuerySet[M]], QuerySet[M]],
    size: int,
    skipped: int = 0,
) -> tuple[list[Key], Key | None]:
    """The keys of a page and of one row behind it; and where looking for more has ended, if it has.

    `ordered`: puts rows in order and leaves out those before the page.
    """
    rows = _keys(ordered(found.rows), column)
    page = slice(skipped, skipped + size + 1)
    if not found.walks:
        return list(rows[page]), None
    walks = [_keys(ordered(walk), column) for walk in found.walks]
    most = LOOKS[-1]
    short = (walk for walk in walks[1:] if not walk[most : most + 1].exists())
    walk = next(short, walks[0])
    keys: list[Key] = []
    for looked in LOOKS:
        keys = list(rows.filter(_is_among(walk.values("pk")[:looked]))[page])
        if len(keys) > size:
            return keys, None
    end = list(walk[most - 1 : most + 1])
    return keys, end[0] if len(end) > 1 else None


def _is_among(keys: QuerySet[M, dict[str, Any]]) -> Func:
    """Whether a row has one of these keys, which are read first, whatever the planner estimates.

    With IN, it may read all rows that a filter leaves instead, where it takes them for few.
    """
    return Func(
        F("pk"),
        ArraySubquery(keys),
        template="%(expressions)s)",
        arg_joiner=" = ANY (",
        output_field=BooleanField(),
    )


def _keys(rows: QuerySet[M], column: str) -> QuerySet[M, Key]:
    return rows.prefetch_related(None).values_list("pk", column)


class ListPagination(BasePagination):
    """A page of a list: `{key: rows, "next_cursor": …}`.

    The view says what the rows are called (`list_key`), and how many of them a page has for
    which no limit is given (`usual`).
    """

    named: ClassVar[str] = "Page"
    """How the name of a page ends in the schema, behind that of its rows."""
    key: str
    next_cursor: str | None = None

    def get_paginated_response(self, data: object) -> Response:
        return Response({self.key: data, **self.more()})

    def more(self) -> dict[str, str]:
        """`next_cursor` for the answer, while there are more rows."""
        return {} if self.next_cursor is None else {"next_cursor": self.next_cursor}

    def get_paginated_response_schema(self, schema: dict[str, object]) -> dict[str, object]:
        # As in an answer, the rows are called what the view calls them.
        return {
            "type": "object",
            "required": [self.key],
            "properties": {self.key: schema, "next_cursor": {"type": "string"}},
            "additionalProperties": False,
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, object]]:
        return [
            _parameter("limit", "integer", f"Rows of a page, at most {MOST}."),
            _parameter("cursor", "string", "`next_cursor` of the page before."),
        ]


def _parameter(name: str, kind: str, description: str) -> dict[str, object]:
    schema = {"type": kind}
    return {"name": name, "in": "query", "description": description, "schema": schema}


class KeysetPagination(ListPagination):
    """Pages by the first column of the view's `ordering`, which is unique, or nearly so.

    The cursor has a value of that column, and how many of the rows behind it have been shown.
    """

    def paginate_queryset(  # type: ignore[override]  # it takes how the rows are found, too
        self, queryset: Found[M] | QuerySet[M], request: Request, view: Any = None
    ) -> list[M]:
        """The rows of the requested page."""
        self.key = view.list_key
        self.ordering: tuple[str, ...] = view.ordering
        self.column = self.ordering[0].lstrip("-")
        self.behind = "lt" if self.ordering[0].startswith("-") else "gt"
        found = Found(queryset) if isinstance(queryset, QuerySet) else queryset
        size = requested_size(request, view.usual)
        skipped, position = self._read(found.rows.model, request.query_params.get("cursor", ""))

        def ordered(rows: QuerySet[M]) -> QuerySet[M]:
            rows = rows.order_by(*self.ordering)
            if position is not None:
                rows = rows.filter(**{f"{self.column}__{self.behind}": position})
            return rows

        keys, end = look(found, self.column, ordered, size, skipped)
        kept = sizes.fitting(found.rows, [key[0] for key in keys[:size]])
        if len(kept) < len(keys):
            self.next_cursor = _encoded(self._behind(keys[: len(kept) + 1], skipped, position))
        elif end:
            self.next_cursor = _encoded((0, str(end[1])))
        return sizes.in_order(found.rows, kept)

    def _behind(
        self, keys: Sequence[Key], skipped: int, position: str | None
    ) -> tuple[int, str | None]:
        """The cursor of a page that has all of these rows but the last."""
        values = [None if value is None else str(value) for _, value in keys]
        alike = next((n for n, value in enumerate(values[-2::-1]) if value != values[-1]), None)
        if alike is None:  # the whole page has the value of the row behind it
            return skipped + len(keys) - 1, position
        return alike, values[-2 - alike]

    def _read(self, model: type[Model], text: str) -> tuple[int, str | None]:
        if not text:
            return 0, None
        try:
            match _decoded(text):
                case [int(skipped), None] if 0 <= skipped <= MOST_ALIKE:
                    return skipped, None
                case [int(skipped), str(position)] if 0 <= skipped <= MOST_ALIKE:
                    self._check(model, position)
                    return skipped, position
        except (ValueError, OverflowError, ValidationError):
            pass
        raise BadCursor

    def _check(self, model: type[Model], position: str) -> None:
        """Refuse a forged position that the column cannot store, before it reaches the database."""
        column = model._meta.get_field(self.column)
        if not isinstance(column, Field):
            raise TypeError(f"{column} is not a column to order by")
        value = column.to_python(position)
        if "\0" in position or (isinstance(value, datetime) and timezone.is_naive(value)):
            raise BadCursor


class LatestPagination(ListPagination):
    """Rows by the view's `time_column`, latest first, then by id.

    The cursor holds time and id of the last row, not a count, so no row is skipped when the rows
    of a page are deleted before the next page is requested.
    """

    def paginate_queryset(  # type: ignore[override]  # as above
        self, queryset: Found[M], request: Request, view: Any = None
    ) -> list[M]:
        """The rows of the requested page."""
        self.key = view.list_key
        column: str = view.time_column
        size = requested_size(request, view.usual)
        text = request.query_params.get("cursor", "")
        before = self._read(text) if text else None

        def ordered(rows: QuerySet[M]) -> QuerySet[M]:
            rows = rows.order_by(f"-{column}", "pk")
            if before:
                time, id_ = before
                rows = rows.filter(**{f"{column}__lte": time})
                rows = rows.exclude(**{column: time, "pk__lte": id_})
            return rows

        keys, end = look(queryset, column, ordered, size)
        kept = sizes.fitting(queryset.rows, [key[0] for key in keys[:size]])
        last = keys[len(kept) - 1] if len(kept) < len(keys) else end
        if last:
            self.next_cursor = _encoded([last[1].isoformat(), str(last[0])])
        return sizes.in_order(queryset.rows, kept)

    def _read(self, text: str) -> tuple[datetime, UUID]:
        try:
            match _decoded(text):
                case [str(time), str(id_)]:
                    at, after = datetime.fromisoformat(time), UUID(id_)
                    if timezone.is_aware(at):
                        return at, after
        except ValueError:
            pass
        raise BadCursor


def _encoded(cursor: object) -> str:
    return urlsafe_b64encode(orjson.dumps(cursor)).decode().rstrip("=")


def _decoded(text: str) -> object:
    return orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
