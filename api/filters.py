"""Filters of a list: a value that no row has gives an empty list, a malformed time is refused."""

from typing import TypeVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django_filters import CharFilter, FilterSet, IsoDateTimeFilter

from api.names import spelled
from problems import Invalid

M = TypeVar("M", bound=Model)


class NameField(forms.CharField):
    def to_python(self, value: object) -> str | None:
        text = super().to_python(value)
        return spelled(text) if text else text


class NameFilter(CharFilter):
    """Compares a name as it is stored."""

    field_class = NameField


class PeriodFilters(FilterSet):
    """Limits a list to a period: from `created_after` (included) to `created_before`."""

    created_after = IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


def apply(kind: type[FilterSet], query: QueryDict, rows: QuerySet[M]) -> QuerySet[M]:
    """The rows that match the query; parameters that are not filters are ignored.

    A malformed id or an unknown status matches no row.
    """
    chosen = kind(query, rows)
    if chosen.is_valid():
        found: QuerySet[M] = chosen.qs
        return found
    for name in chosen.form.errors:
        if isinstance(chosen.filters[name], IsoDateTimeFilter):
            raise Invalid(f"{name} must be a time like 2026-01-31T12:00:00Z")
    return rows.none()
