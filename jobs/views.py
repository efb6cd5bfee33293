"""Sweeps under /api/v1: create, show, cancel, retry; their results (seed 004, 2.1)."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import caller_of
from api.body import JsonValue
from api.filters import flag
from api.marks import unmarked
from api.pagination import requested_offset, requested_size
from api.viewsets import ListViewSet
from jobs import forms, progress, result_answers, schema, statistics, sweeps, transitions
from jobs.answers import JobDetailsSerializer, JobSerializer
from jobs.exceptions import JobUnknown
from jobs.filters import JobFilters
from jobs.models import Job, JobKind
from jobs.parameter_schema import SCHEMA
from jobs.querysets import JobQuerySet
from tasks.serializers import ReasonRequestSerializer

PREVIEWED = 5


@schema.jobs
class JobViewSet(ListViewSet[Job]):
    """Sweeps, the newest first."""

    queryset = Job.objects.counted().with_program().filter(kind=JobKind.SWEEP)
    serializer_class = JobSerializer
    filterset_class = JobFilters
    owner = "user"
    users_may = frozenset({"create"})
    list_key = "jobs"
    ordering = ("-id",)
    lookup_url_kwarg = "job_id"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Job:
        job = known(self.kwargs["job_id"])
        self.check_object_permissions(self.request, job)
        return job

    def completed(self, rows: list[Job]) -> Sequence[Job]:
        return progress.with_running(rows)

    def list(self, request: Request) -> Response:
        if "offset" not in request.query_params:
            return super().list(request)
        offset, limit = requested_offset(request), requested_size(request)
        found: Any = self.filter_queryset(self.get_queryset())
        rows: JobQuerySet = found.rows.order_by(*self.ordering)
        page = progress.with_running(list(rows[offset : offset + limit]))
        shown = [JobSerializer.shown(row) for row in page]
        return Response({"jobs": shown, "total": rows.count(), "limit": limit, "offset": offset})

    def create(self, request: Request) -> Response:
        """Create a sweep from either form; with `dry_run`, say what it would be."""
        sweep = forms.read(unmarked(request.data))
        if flag(request.query_params, "dry_run"):
            return Response(preview(sweep))
        job, new = transitions.create_sweep(sweep, by=caller_of(request))
        body = {"success": True, "jobId": job.public_id, "totalTasks": sweep.grid.count}
        return Response(body, 201 if new else 200)

    def retrieve(self, request: Request, job_id: str) -> Response:
        """Show a sweep with its counts, its specification and an estimate of its end."""
        return Response(JobDetailsSerializer(progress.with_details(self.get_object())).data)

    @action(detail=True, methods=["post"], body_is_optional=True)
    def cancel(self, request: Request, job_id: str) -> Response:
        """Cancel a sweep: its waiting tasks at once, those in progress are asked to stop."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        job = self.get_object()
        done = transitions.cancel(job.pk, by=caller_of(request).name, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return Response({**body, "cancelled": done.cancelled, "asked": done.asked})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def retry(self, request: Request, job_id: str) -> Response:
        """Give the failed tasks of a sweep all their attempts again."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        job = self.get_object()
        retried = transitions.retry_failed(job.pk, by=caller_of(request).name, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return Response({**body, "retried": retried})

    @action(detail=True)
    def results(self, request: Request, job_id: str) -> HttpResponseBase:
        """Show all results in the order of creation, or as filtered and sorted.

        `param.<name>` filters by the parameter of that name. Answers of any length take little
        memory: their rows are read a few at a time.
        """
        return result_answers.answer(request, self.get_object())

    @action(detail=True)
    def best(self, request: Request, job_id: str) -> Response:
        """Show the smallest `fopt` of all, and of each value of each parameter."""
        return Response(statistics.best(self.get_object()))

    @action(detail=True)
    def statistics(self, request: Request, job_id: str) -> Response:
        """Show how `fopt` is distributed: over all, and by each value of each parameter."""
        return Response(statistics.statistics(self.get_object()))


@schema.parameter_schema
class ParameterSchemaView(APIView):
    users_may = frozenset({"get"})

    def get(self, request: Request) -> Response:
        """Show the parameters that a form for sweeps may offer; a job may have others."""
        return Response(SCHEMA)


def preview(sweep: sweeps.Sweep) -> dict[str, object]:
    """The number of tasks that the sweep would have, and its first payloads."""
    first: list[JsonValue] = [task.payload for task in islice(sweep.tasks(), PREVIEWED)]
    return {
        "success": True,
        "dryRun": True,
        "totalTasks": sweep.grid.count,
        "payloads": first,
    }


def known(public_id: str) -> Job:
    """The sweep of this public id, with its exact counts."""
    job = Job.objects.counted().filter(kind=JobKind.SWEEP, pk=sweeps.id_of(public_id)).first()
    if job is None:
        raise JobUnknown
    return job
