"""Filters of the list of events."""

from django_filters import CharFilter, UUIDFilter

from api.fields import job_identifier
from api.filters import NameFilter, PeriodFilters
from events.querysets import EventQuerySet


class EventFilters(PeriodFilters):
    agent_id = NameFilter()
    task_id = NameFilter()
    job_id = CharFilter(method="of_job")
    chain_id = UUIDFilter()
    channel_id = UUIDFilter()
    type = NameFilter()
    source = CharFilter()

    def of_job(self, rows: EventQuerySet, name: str, value: str) -> EventQuerySet:
        return rows.about_job(job_identifier(value))
