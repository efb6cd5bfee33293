"""The bases of all API viewsets."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet, ViewSet

from api import pagination
from api.body import NotJson
from api.pagination import Found
from problems import Invalid, NotFound

M = TypeVar("M", bound=Model)

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def refuse_no_body(request: Request) -> None:
    """Refuse a request without a body, which REST framework takes for an empty object."""
    if request.stream is None:
        raise NotJson("The body is empty.")


class ApiViewSet(ViewSet):
    """One resource of a family, and the verbs on it.

    Who calls, what they may, bodies, answers and errors are settled by the classes that the
    settings name.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    body_is_optional = False
    """Whether an empty body is taken, as an object without fields. An `@action` says so."""
    users_may: ClassVar[frozenset[str]] = frozenset()
    """Actions for users who see only what is theirs or nobody's: these see to it themselves."""
    throttle_scope = ""
    """Which limit counts its requests; "": that of reads or of changes. An `@action` says so."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse an id that PostgreSQL cannot look up, and a body that is missing."""
        for name, value in kwargs.items():
            if isinstance(value, str) and "\0" in value:
                raise Invalid(f"{name} must not contain NUL")
        super().initial(request, *args, **kwargs)
        if self.action and request.method in WITH_BODY and not self.body_is_optional:
            refuse_no_body(request)


class RowViewSet(ApiViewSet, GenericViewSet, Generic[M]):
    """A resource whose rows can be found by their id.

    The id of a row is the argument `lookup_url_kwarg` of its path.
    """

    owner: ClassVar[str] = ""
    """The path from a row to the user whose it is. Where rows have owners, users list theirs and
    nobody's, and act on these by their id."""
    unknown: ClassVar[type[NotFound]] = NotFound
    """What is said where there is no such row."""

    def get_object(self) -> M:
        """The row of the path's id. Raises `unknown`."""
        rows: QuerySet[M] = self.get_queryset()
        given = self.kwargs[str(self.lookup_url_kwarg)]
        row = rows.filter(pk=given).first()
        if row is None:
            raise self.unknown(f"There is no {rows.model._meta.verbose_name} {given}.")
        self.check_object_permissions(self.request, row)
        return row


class ListViewSet(ListModelMixin, RowViewSet[M], Generic[M]):
    """A resource whose rows can be listed, filtered and paged, too."""

    list_key: ClassVar[str]
    """What an answer calls the rows of a list."""
    ordering: ClassVar[tuple[str, ...]] = ("id",)
    """The first column is unique, or nearly so."""
    usual: ClassVar[int] = pagination.MOST
    """The rows of a page for which no limit is given."""

    def paginate_queryset(  # type: ignore[override]  # its filters say how the rows are found, too
        self, queryset: Found[M] | QuerySet[M]
    ) -> Sequence[M]:
        """The rows of the requested page."""
        rows: list[M] = super().paginate_queryset(queryset)  # type: ignore[arg-type, assignment]
        return self.completed(rows)

    def completed(self, rows: list[M]) -> Sequence[M]:
        """The rows with what is shown of them and is not theirs, read for all at once."""
        return rows
