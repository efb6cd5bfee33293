"""Filters of the list of jobs."""

from django_filters import CharFilter

from api.filters import NameFilter, PeriodOfKeysFilters
from jobs.models import Job


class JobFilters(PeriodOfKeysFilters):
    """`status` is exact at this moment; `name` matches any part of a job's name."""

    status = CharFilter(field_name="counted_status", lookup_expr="iexact")
    name = NameFilter(lookup_expr="icontains")

    class Meta:
        model = Job
        fields: list[str] = []
