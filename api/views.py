"""What every view of an API starts from: JSON in, JSON out, and little between."""

import json
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import orjson
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django_filters import FilterSet
from rest_framework.request import Request
from rest_framework.views import APIView

from api import body, filters, pages
from api.serializers import RequestSerializer, Values
from problems import Invalid, drf, http

OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
EMPTY: tuple[object, ...] = (None, "", 0, {}, [])

M = TypeVar("M", bound=Model)


def dumps(data: object) -> bytes:
    """JSON with a newline at its end; times are RFC 3339 in UTC, ids are strings.

    jsonb gives back whole numbers of any size, which only Python's own encoder can write.
    """
    try:
        return orjson.dumps(data, option=OPTIONS)
    except TypeError:
        return json.dumps(data, default=_as_orjson_would).encode() + b"\n"


def _as_orjson_would(value: object) -> object:
    return orjson.loads(orjson.dumps(value, option=OPTIONS))


def reply(data: object, status: int = 200) -> HttpResponse:
    return HttpResponse(dumps(data), status=status, content_type=http.JSON)


def filled(**fields: object) -> dict[str, object]:
    """The fields that have something to say: what is empty, zero or null is left out."""
    return {name: value for name, value in fields.items() if value not in EMPTY}


class JsonView(APIView):
    """A view that speaks JSON only, whatever the headers say.

    Who may call is decided before any view; so nothing of REST framework's negotiation,
    authentication, permissions and throttles is asked here, which halves the cost of a request.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> Request:
        return Request(request)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Nothing is left to decide but whether what the path says can be looked up."""
        for name, value in kwargs.items():
            if isinstance(value, str) and "\0" in value:
                raise Invalid(f"{name}: must not hold NUL")

    # A finished HttpResponse needs none of the rendering that REST framework's Response is for.
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
        """The JSON of the request's body."""
        return body.parse(self.request.body)

    def read(self, kind: type[RequestSerializer]) -> Values:
        """What the request's body says, complete and checked."""
        return kind.read(self.json())

    def read_optional(self, kind: type[RequestSerializer]) -> Values:
        """The same, where no body at all says nothing."""
        return kind.read(self.json() if self.request.body else None)


class ListView(JsonView, Generic[M]):
    """A list, page by page: `{key: [body of each row], "next_cursor": …}`.

    The first column of `ordering` should be unique or nearly so; rows come from `rows`.
    """

    key: ClassVar[str]
    queryset: QuerySet[M]
    ordering: ClassVar[tuple[str, ...]] = ("id",)
    filterset_class: type[FilterSet]

    def body(self, row: M) -> dict[str, object]:
        """What the list shows of one row."""
        raise NotImplementedError

    def bodies(self, rows: Sequence[M]) -> list[dict[str, object]]:
        """What the list shows of a page's rows, for what is better asked of all at once."""
        return [self.body(row) for row in rows]

    def rows(self) -> QuerySet[M]:
        """The rows that this request asks for."""
        return filters.apply(self.filterset_class, self.request.query_params, self.queryset.all())

    def get(self, request: Request) -> HttpResponse:
        page = pages.KeysetPage(self.ordering)
        rows = page.rows_of(self.rows(), request)
        return reply({self.key: self.bodies(rows), **page.next_cursor()})
