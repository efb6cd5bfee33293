"""A page of a list goes on after the last row of the page before it, however the list changes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, QuerySet
from django.utils import timezone
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from problems import Invalid

M = TypeVar("M", bound=Model)

MOST = 500
MOST_ALIKE = 1_000_000  # rows that share one value of the first column


class BadCursor(Invalid):
    """cursor: not one that this list gave out"""


class KeysetPage(CursorPagination):
    """REST framework's cursor, told in the body instead of in links, and forwards only."""

    def __init__(self, ordering: tuple[str, ...]) -> None:
        super().__init__()
        self.ordering = ordering

    def rows_of(self, queryset: QuerySet[M], request: Request) -> list[M]:
        """The rows of the page that the request asks for."""
        column = queryset.model._meta.get_field(self.ordering[0].lstrip("-"))
        if not isinstance(column, Field):
            raise TypeError(f"{column} is not a column to order by")
        self.column = column
        return self.paginate_queryset(queryset, request) or []

    def next_cursor(self) -> dict[str, str]:
        """`next_cursor` for the answer, as long as there is more."""
        cursor = self.get_next_link()
        return {} if cursor is None else {"next_cursor": cursor}

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("limit", "")
        if not text:
            return MOST
        try:
            limit = int(text)
        except ValueError:
            raise Invalid("limit: a whole number is wanted") from None
        return limit if 0 < limit <= MOST else MOST

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
        """A forged position, which its column could not hold, must not reach the database."""
        value = self.column.to_python(position)
        if "\0" in position or (isinstance(value, datetime) and timezone.is_naive(value)):
            raise BadCursor
