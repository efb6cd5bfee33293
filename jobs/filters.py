"""Filters of the list of jobs."""

from django_filters import CharFilter

from api.choices import OneOf
from api.filters import PeriodFilters
from jobs.models import Job, JobStatus


class JobFilters(PeriodFilters):
    """`status` is exact at this moment; `name` matches any part of a job's name."""

    status = OneOf(JobStatus.values, field_name="counted_status")
    name = CharFilter(lookup_expr="icontains")

    class Meta:
        model = Job
        fields: list[str] = []
