"""A page of a list goes on after the last row of the page before it, however the list changes."""

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
    """cursor: not one that this list gave out"""


def size_asked_for(request: Request) -> int:
    text = request.query_params.get("limit", "")
    if not text:
        return MOST
    try:
        limit = int(text)
    except ValueError:
        raise Invalid("limit: a whole number is wanted") from None
    return limit if 0 < limit <= MOST else MOST


def offset_asked_for(request: Request) -> int:
    """How many rows to pass over, where a list is asked for by `offset` instead of a cursor."""
    text = request.query_params.get("offset", "") or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_OFFSET:
        raise Invalid("offset: a whole number from 0 on is wanted")
    return int(text)


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
        return size_asked_for(request)

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


class LatestPage:
    """Rows by a time, the latest first, and by id where many share one time.

    It goes on behind the last row it gave, by time and id, so a page may be emptied before the
    next is asked for: no row is passed over.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self.cursor = ""

    def rows_of(self, queryset: QuerySet[M], request: Request) -> list[M]:
        """The rows of the page that the request asks for."""
        size = size_asked_for(request)
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
        """`next_cursor` for the answer, as long as there is more."""
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
