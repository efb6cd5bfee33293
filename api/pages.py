"""Keyset pages: each begins after the last row of the page before, even if the list has changed."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, QuerySet
from django.utils import timezone
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from problems import Invalid

M = TypeVar("M", bound=Model)

MOST = 500
LONGEST_OFFSET = 15  # digits
MOST_ALIKE = 1_000_000  # rows that share one value of the first column


class BadCursor(Invalid):
    """cursor must be one that this list has given"""


def requested_size(request: Request) -> int:
    text = request.query_params.get("limit", "")
    if not text:
        return MOST
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


class KeysetPage(CursorPagination):
    """REST framework's cursor, in the body instead of in links, and forwards only."""

    def __init__(self, ordering: tuple[str, ...]) -> None:
        super().__init__()
        self.ordering = ordering

    def rows_of(self, queryset: QuerySet[M], request: Request) -> list[M]:
        """The rows of the requested page."""
        column = queryset.model._meta.get_field(self.ordering[0].lstrip("-"))
        if not isinstance(column, Field):
            raise TypeError(f"{column} is not a column to order by")
        self.column = column
        return self.paginate_queryset(queryset, request) or []

    def next_cursor(self) -> dict[str, str]:
        """`next_cursor` for the answer, while there are more rows."""
        cursor = self.get_next_link()
        return {} if cursor is None else {"next_cursor": cursor}

    def get_page_size(self, request: Request) -> int:
        return requested_size(request)

    def encode_cursor(self, cursor: Cursor) -> str:
        raw = orjson.dumps([cursor.offset, cursor.position])
        return urlsafe_b64encode(raw).decode().rstrip("=")

    def decode_cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get(self.cursor_query_param, "")
        if not text:
            return None
        try:
            match orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))):
                case [int(offset), None] if 0 <= offset <= MOST_ALIKE:
                    return Cursor(offset, False, None)
                case [int(offset), str(position)] if 0 <= offset <= MOST_ALIKE:
                    self._check(position)
                    return Cursor(offset, False, position)  # type: ignore[arg-type]  # stub: int
        except (ValueError, OverflowError, ValidationError):
            pass
        raise BadCursor

    def _check(self, position: str) -> None:
        """Refuse a forged position that the column cannot store, before it reaches the database."""
        value = self.column.to_python(position)
        if "\0" in position or (isinstance(value, datetime) and timezone.is_naive(value)):
            raise BadCursor


class LatestPage:
    """Rows by a time, latest first, then by id.

    The cursor holds time and id of the last row, not a count, so no row is skipped when the rows
    of a page are deleted before the next page is requested.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self.cursor = ""

    def rows_of(self, queryset: QuerySet[M], request: Request) -> list[M]:
        """The rows of the requested page."""
        size = requested_size(request)
        text = request.query_params.get("cursor", "")
        if text:
            time, id_ = self._read(text)
            queryset = queryset.filter(**{f"{self.column}__lte": time}).exclude(
                **{self.column: time, "pk__lte": id_}
            )
        rows = list(queryset.order_by(f"-{self.column}", "pk")[: size + 1])
        if len(rows) > size:
            last = rows[size - 1]
            raw = orjson.dumps([getattr(last, self.column).isoformat(), str(last.pk)])
            self.cursor = urlsafe_b64encode(raw).decode().rstrip("=")
        return rows[:size]

    def next_cursor(self) -> dict[str, str]:
        """`next_cursor` for the answer, while there are more rows."""
        return {"next_cursor": self.cursor} if self.cursor else {}

    def _read(self, text: str) -> tuple[datetime, UUID]:
        try:
            match orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))):
                case [str(time), str(id_)]:
                    at, after = datetime.fromisoformat(time), UUID(id_)
                    if timezone.is_aware(at):
                        return at, after
        except ValueError:
            pass
        raise BadCursor
