"""What the list of jobs may be filtered by."""

from django_filters import CharFilter

from api.filters import PeriodFilters
from jobs.models import Job


class JobFilters(PeriodFilters):
    """`status` is that of this moment; `name` is found anywhere in a job's name."""

    status = CharFilter(field_name="counted_status", lookup_expr="iexact")
    name = CharFilter(lookup_expr="icontains")

    class Meta:
        model = Job
        fields: list[str] = []
