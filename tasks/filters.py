"""Filters of the lists of channels, tasks and agents."""

from django_filters import CharFilter, UUIDFilter

from agents.models import Agent
from api.fields import job_identifier
from api.filters import FlagFilter, NameFilter, PeriodFilters, PeriodOfKeysFilters
from tasks.models import Channel, Task
from tasks.querysets import TaskQuerySet


class ChannelFilters(PeriodOfKeysFilters):
    class Meta:
        model = Channel
        fields: list[str] = []


class TaskFilters(PeriodOfKeysFilters):
    served = ("chain_id", "agent_id", "job_id", "type", "status", "channel_id")

    chain_id = UUIDFilter()
    agent_id = NameFilter()
    job_id = CharFilter(method="of_job")
    type = CharFilter()
    status = CharFilter()
    channel_id = UUIDFilter()

    def of_job(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return rows.of_job(job_identifier(value))

    class Meta:
        model = Task
        fields: list[str] = []


class AgentFilters(PeriodFilters):
    """Agents are in the order in which they were seen last, for which there is no index."""

    walked = False

    online = FlagFilter()

    class Meta:
        model = Agent
        fields: list[str] = []
