"""What of a list its caller may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from accounts.callers import caller_of
from accounts.ownership import is_limited, visible
from api.pagination import Found

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from api.viewsets import ListViewSet

M = TypeVar("M", bound=Model)


class OwnRowsFilterBackend(BaseFilterBackend):
    """For users their own rows and nobody's, looked through in the order of the list."""

    def filter_queryset(  # type: ignore[override]  # it takes how the rows are found, too
        self, request: Request, queryset: Found[M] | QuerySet[M], view: ListViewSet[M]
    ) -> Found[M] | QuerySet[M]:
        caller = caller_of(request)
        if not is_limited(caller):
            return queryset
        found = Found(queryset) if isinstance(queryset, QuerySet) else queryset
        return Found(visible(found.rows, caller, view.owner), found.walks or [found.rows])
