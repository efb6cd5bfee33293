"""The base of every API view: JSON in, JSON out, and little between."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import orjson
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from api import body, filters, pages
from api.serializers import RequestSerializer, Values
from problems import Invalid, drf, http

OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
EMPTY: tuple[object, ...] = (None, "", 0, {}, [])

M = TypeVar("M", bound=Model)


def dumps(data: object) -> bytes:
    """JSON with a newline at its end; times are RFC 3339 in UTC, ids are strings."""
    return body.dumps(data, OPTIONS)


def reply(data: object, status: int = 200) -> HttpResponse:
    return HttpResponse(dumps(data), status=status, content_type=http.JSON)


def filled(**fields: object) -> dict[str, object]:
    """The fields without those that are empty, zero or null."""
    return {name: value for name, value in fields.items() if value not in EMPTY}


class JsonView(APIView):
    """A view that speaks only JSON and ignores content negotiation.

    Middleware has authenticated the caller by now, so REST framework's negotiation,
    authentication, permissions and throttles are skipped, which halves the cost of a request.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> Request:
        return Request(request)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse a path parameter that PostgreSQL cannot look up."""
        for name, value in kwargs.items():
            if isinstance(value, str) and "\0" in value:
                raise Invalid(f"{name} must not contain NUL")

    # A finished HttpResponse needs no rendering.
    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponseBase, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        return response

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        response = drf.exception_handler(exc, {"request": self.request})
        if response.status_code == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        return response

    def json(self) -> body.JsonValue:
        """The request's body, parsed."""
        return body.parse(self.request.body)

    def read(self, kind: type[RequestSerializer]) -> Values:
        """The values of the request's body, checked."""
        return kind.read_body(self.request.body)

    def read_optional(self, kind: type[RequestSerializer]) -> Values:
        """The same, where the body may be absent."""
        return kind.read_body(self.request.body or b"null")


class ListView(JsonView, Generic[M]):
    """A list, page by page: `{key: [body of each row], "next_cursor": …}`.

    The first column of `ordering` should be unique or nearly so; rows come from `found`.
    """

    key: ClassVar[str]
    queryset: QuerySet[M]
    ordering: ClassVar[tuple[str, ...]] = ("id",)
    usual: ClassVar[int] = pages.MOST  # rows of a page for which no limit is given
    filterset_class: type[filters.ListFilters]

    def body(self, row: M) -> dict[str, object]:
        """One row as the list shows it."""
        raise NotImplementedError

    def bodies(self, rows: Sequence[M]) -> list[dict[str, object]]:
        """A page's rows as the list shows them; overridden where one query serves all rows."""
        return [self.body(row) for row in rows]

    def found(self) -> pages.Found[M]:
        """The rows that match the request's filters."""
        return filters.apply(self.filterset_class, self.request.query_params, self.queryset.all())

    def get(self, request: Request) -> HttpResponse:
        page = pages.KeysetPage(self.ordering, self.usual)
        rows = page.rows_of(self.found(), request)
        return reply({self.key: self.bodies(rows), **page.next_cursor()})
