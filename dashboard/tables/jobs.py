"""The table of jobs: by filters, the newest or the oldest first."""

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.viewsets import ListViewSet
from dashboard import rows
from dashboard.answers import JobRowSerializer
from dashboard.tables import schema
from jobs.commands import CommandStatus
from jobs.filters import JobFilters
from jobs.models import Job, JobKind, JobStatus
from jobs.querysets import JobQuerySet
from problems import Invalid

USUAL = 50
SORTS = ("newest", "oldest")


class JobTableFilters(JobFilters):
    """Here a status or a kind that no job can have finds none."""

    queue_name = None
    source_type = None
    user_id = None

    def with_status(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        known = value.lower() in {one.lower() for one in (*JobStatus.values, *CommandStatus.values)}
        return super().with_status(rows, name, value) if known else rows.none()

    def of_kind(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        known = value.lower() in JobKind.values
        return super().of_kind(rows, name, value) if known else rows.none()


@schema.jobs
class JobTableViewSet(ListViewSet[Job]):
    """Jobs as a table shows them."""

    queryset = Job.objects.counted()
    serializer_class = JobRowSerializer
    filterset_class = JobTableFilters
    list_key = "jobs"
    usual = USUAL

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]  # it depends on the request
        sort = self.request.query_params.get("sort", "") or SORTS[0]
        if sort not in SORTS:
            raise Invalid(f"sort must be one of {', '.join(SORTS)}")
        return ("id",) if sort == "oldest" else ("-id",)

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.counted().defer("specification")

    def list(self, request: Request) -> Response:
        """List jobs by filters, the newest or the oldest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        keys = [job.pk for job in page]
        shown = {row["uuid"]: row for row in rows.jobs(Job.objects.counted().filter(pk__in=keys))}
        return self.get_paginated_response([shown[key] for key in keys if key in shown])
