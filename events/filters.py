"""What a list of events can be cut to."""

from django_filters import CharFilter, UUIDFilter

from api.filters import PeriodFilters


class EventFilters(PeriodFilters):
    agent_id = CharFilter()
    task_id = CharFilter()
    chain_id = UUIDFilter()
    channel_id = UUIDFilter()
    type = CharFilter()
    source = CharFilter()
