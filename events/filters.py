"""Filters of the list of events."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter, UUIDFilter

from api.fields import job_identifier
from api.filters import Given, NameFilter, PeriodFilters
from events import bounds
from events.models import Event, Source
from events.querysets import COMMON_TYPES, NEAR, EventQuerySet

APART = bounds.EXTENDED + timedelta(minutes=5)
"""An event is of the time at which its transaction began; none lives so long."""


class EventFilters(PeriodFilters):
    served = ("task_id", "chain_id", "job_id", "agent_id", "type", "source")

    agent_id = NameFilter()
    task_id = NameFilter()
    job_id = CharFilter(method="of_job")
    chain_id = UUIDFilter()
    channel_id = UUIDFilter()
    type = NameFilter()
    source = CharFilter()

    def serves(self, name: str, value: object) -> bool:
        if name == "source":
            return value == Source.AGENT
        return name in self.served and value not in COMMON_TYPES

    def of_job(self, rows: EventQuerySet, name: str, value: str) -> EventQuerySet:
        return rows.about_job(job_identifier(value))

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        if after := given.get("created_after"):
            rows = rows.filter(pk__gt=Event.objects.last_before(after, -APART))
        if before := given.get("created_before"):
            rows = rows.filter(pk__lte=Event.objects.last_before(before, APART) + NEAR)
        return rows
