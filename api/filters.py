"""Filters of a list: a value that no row has gives an empty list, an unknown word is refused."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict
from django_filters import FilterSet, IsoDateTimeFilter

from api.choices import OneOf
from problems import Invalid

M = TypeVar("M", bound=Model)


class PeriodFilters(FilterSet):
    """Limits a list to a period: from `created_after` (included) to `created_before`."""

    created_after = IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


def apply(kind: type[FilterSet], query: QueryDict, rows: QuerySet[M]) -> QuerySet[M]:
    """The rows that match the query; parameters that are not filters are ignored.

    A malformed id matches no row; a malformed time and an unknown status are refused.
    """
    chosen = kind(query, rows)
    if chosen.is_valid():
        found: QuerySet[M] = chosen.qs
        return found
    for name in chosen.form.errors:
        if isinstance(chosen.filters[name], IsoDateTimeFilter):
            raise Invalid(f"{name} must be a time like 2026-01-31T12:00:00Z")
    for name in chosen.form.errors:
        known = chosen.filters[name]
        if isinstance(known, OneOf):
            raise Invalid(f"{name} must be one of {', '.join(known.words)}")
    return rows.none()
