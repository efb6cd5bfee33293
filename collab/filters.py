"""Filters of the list of jobs: by status, type, executor and period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django_filters import CharFilter, Filter
from rest_framework.request import Request

from api.filters import (
    APART,
    Given,
    IndexedFilterBackend,
    ListFilters,
    NameFilter,
    TimeFilter,
    key_of,
)
from api.filters import apply as applied
from api.pagination import Found
from collab.models import CollabJob
from collab.querysets import CollabJobQuerySet
from collab.states import JobStatus
from problems import Invalid
from tasks.models import Channel

if TYPE_CHECKING:
    from rest_framework.views import APIView


class JobFilters(ListFilters):
    served = ("executorId", "type", "status")

    status = CharFilter(method="of_status")
    type = CharFilter()
    executorId = NameFilter(method="of_executor")  # noqa: N815 (as clients spell it)

    @classmethod
    def get_filters(cls) -> dict[str, Filter]:
        """With those whose names are words of Python."""
        period = {
            "from": TimeFilter(field_name="created_at", lookup_expr="gte"),
            "to": TimeFilter(field_name="created_at", lookup_expr="lt"),
        }
        return {**super().get_filters(), **period}

    def of_status(self, rows: CollabJobQuerySet, name: str, value: str) -> CollabJobQuerySet:
        if value not in JobStatus.values:
            problem = Invalid(f"status must be one of {', '.join(JobStatus.values)}")
            problem.details = {"status": [problem.message]}
            raise problem
        return rows.of_status(JobStatus(value))

    def of_executor(self, rows: CollabJobQuerySet, name: str, value: str) -> CollabJobQuerySet:
        channel = Channel.objects.named([value]).first()
        return rows.filter(channel=channel) if channel else rows.none()

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        if after := given.get("from"):
            rows = rows.filter(pk__gte=key_of(after, -APART))
        if before := given.get("to"):
            rows = rows.filter(pk__lt=key_of(before, APART))
        return rows

    class Meta:
        model = CollabJob
        fields: list[str] = []


class JobFilterBackend(IndexedFilterBackend):
    """Jobs are looked through among all tasks, since no index leaves out those of sweeps."""

    def filter_queryset(  # type: ignore[override]  # of jobs alone
        self, request: Request, queryset: CollabJobQuerySet, view: APIView
    ) -> Found[Any]:
        found: Found[Any] = applied(JobFilters, request.query_params, CollabJob.objects.all())
        among: Any = found.rows
        return Found(among.shown(), found.walks or [among])
