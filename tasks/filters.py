"""Filters of the lists of channels, tasks and agents."""

from django_filters import BooleanFilter, CharFilter, UUIDFilter

from agents.models import Agent
from api.fields import job_identifier
from api.filters import NameFilter, PeriodFilters
from tasks.models import Channel, Task
from tasks.querysets import TaskQuerySet


class ChannelFilters(PeriodFilters):
    class Meta:
        model = Channel
        fields: list[str] = []


class TaskFilters(PeriodFilters):
    status = CharFilter()
    channel_id = UUIDFilter()
    chain_id = UUIDFilter()
    agent_id = NameFilter()
    job_id = CharFilter(method="of_job")
    type = CharFilter()

    def of_job(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return rows.filter(job=job_identifier(value))

    class Meta:
        model = Task
        fields: list[str] = []


class AgentFilters(PeriodFilters):
    online = BooleanFilter()

    class Meta:
        model = Agent
        fields: list[str] = []
