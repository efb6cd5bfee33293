"""Filters of a list: a value that no row has gives an empty list, a malformed time is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django_filters import BooleanFilter, CharFilter, FilterSet, IsoDateTimeFilter
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from api.names import spelled
from api.pagination import Found
from problems import Invalid

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView

M = TypeVar("M", bound=Model)

Given = Mapping[str, Any]
"""The filters that a request names, with their values as each filter has read it."""


class NameField(forms.CharField):
    def to_python(self, value: object) -> str | None:
        text = super().to_python(value)
        return spelled(text) if text else text


class NameFilter(CharFilter):
    """Compares a name as it is stored."""

    field_class = NameField


LONGEST_TIME = 64  # characters


class TimeField(IsoDateTimeField):
    """A time with any offset that RFC 3339 has; PostgreSQL takes none of 16 hours and more."""

    def clean(self, value: object) -> datetime | None:
        if len(str(value)) > LONGEST_TIME:  # digits without end are a time for Python
            raise forms.ValidationError("")
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:  # within a day of the ends of time
            end = datetime.min if moment and moment.year == 1 else datetime.max
            return end.replace(tzinfo=UTC)


class TimeFilter(IsoDateTimeFilter):
    field_class = TimeField


YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})


def flag(query: QueryDict, name: str) -> bool:
    """Whether a parameter says yes; an absent or empty one says no. Others are refused."""
    return bool(read_flag(name, query.get(name, "")))


def read_flag(name: str, text: str) -> bool | None:
    """What a parameter says; None where it is empty."""
    text = text.strip().lower()
    if text and text not in YES | NO:
        raise Invalid(f"{name} must be true or false")
    return text in YES if text else None


class FlagField(forms.CharField):
    def clean(self, value: object) -> bool | None:
        try:
            return read_flag("", str(super().clean(value)))
        except Invalid:
            raise forms.ValidationError("") from None


class FlagFilter(BooleanFilter):
    """true or false; another value is refused, since ignoring it would widen the list."""

    field_class = FlagField


APART = timedelta(hours=1)
"""No clock of ours, nor a transaction, is so far off: a key is made before its row by another."""


class ListFilters(FilterSet):
    """The filters of a list; `served`: those for which an index has the rows in the list's order.

    Where others are given, rows are looked through for them, in the order of the list.
    """

    served: ClassVar[Sequence[str]] = ()
    walked: ClassVar[bool] = True
    """Whether an index has all rows in the list's order, so that they can be looked through."""

    def serves(self, name: str, value: object) -> bool:
        """Whether an index has the rows of this value in the list's order."""
        return name in self.served

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        """The rows without those of which the order of the list says that they do not match."""
        return rows


class PeriodFilters(ListFilters):
    """Limits a list to a period: from `created_after` (included) to `created_before`."""

    created_after = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt")


class PeriodOfKeysFilters(PeriodFilters):
    """The same for rows whose keys are UUIDs of version 7, which begin with the time."""

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        if after := given.get("created_after"):
            rows = rows.filter(pk__gte=key_of(after, -APART))
        if before := given.get("created_before"):
            rows = rows.filter(pk__lt=key_of(before, APART))
        return rows


def key_of(moment: datetime, later: timedelta) -> UUID:
    """The first key that a row made at this moment may have, or so much later."""
    milliseconds = int((moment.timestamp() + later.total_seconds()) * 1000)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


class IndexedFilterBackend(DjangoFilterBackend):
    """The view's filters, and by which index the rows that match are found."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[M], view: APIView
    ) -> Found[M] | QuerySet[M]:
        kind = getattr(view, "filterset_class", None)
        return apply(kind, request.query_params, queryset) if kind else queryset


def apply(kind: type[ListFilters], query: QueryDict, rows: QuerySet[M]) -> Found[M]:
    """The rows that match the query; parameters that are not filters are ignored.

    A malformed id or an unknown status matches no row.
    """
    chosen = kind(query, rows)
    if chosen.is_valid():
        return _found(chosen, rows)
    for name in chosen.form.errors:
        if isinstance(chosen.filters[name], TimeFilter):
            raise Invalid(f"{name} must be a time like 2026-01-31T12:00:00Z")
        if isinstance(chosen.filters[name], FlagFilter):
            raise Invalid(f"{name} must be true or false")
    return Found(rows.none())


def _found(chosen: ListFilters, rows: QuerySet[M]) -> Found[M]:
    cleaned = chosen.form.cleaned_data
    given = {name: value for name, value in cleaned.items() if value not in EMPTY_VALUES}
    serving = [name for name, value in given.items() if chosen.serves(name, value)]
    matching: QuerySet[M] = chosen.qs
    if not chosen.walked or len(given) == len(serving) <= 1:
        return Found(matching)
    walked = chosen.within(rows, given)
    served = [chosen.filters[name].filter(walked, given[name]) for name in serving]
    return Found(matching, served or [walked])
