"""Filters of the list of chains."""

from django_filters import CharFilter, UUIDFilter

from api.filters import NameFilter, PeriodOfKeysFilters
from chains.models import Chain


class ChainFilters(PeriodOfKeysFilters):
    served = ("agent_id", "status", "channel_id")

    status = CharFilter()
    channel_id = UUIDFilter()
    agent_id = NameFilter(field_name="owner_id")

    class Meta:
        model = Chain
        fields: list[str] = []
