"""Sweeps under /api/v1: create, show, cancel and retry (seed 004, 2.1)."""

from collections.abc import Sequence
from itertools import islice

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from api.body import JsonValue
from api.pages import requested_offset, requested_size
from api.views import JsonView, ListView, reply
from jobs import bodies, forms, progress, sweeps, transitions
from jobs.exceptions import JobUnknown
from jobs.filters import JobFilters
from jobs.models import Job, JobKind
from jobs.schema import SCHEMA
from tasks.serializers import ReasonRequestSerializer

PREVIEWED = 5
YES = frozenset({"1", "true", "yes"})


class SweepsView(ListView[Job]):
    """Creates a sweep from either form; lists sweeps, newest first."""

    key = "jobs"
    queryset = Job.objects.counted().with_program().filter(kind=JobKind.SWEEP)
    filterset_class = JobFilters
    ordering = ("-id",)

    def bodies(self, rows: Sequence[Job]) -> list[dict[str, object]]:
        running = progress.running_of(rows)
        return [bodies.job(row, row.program, running=running.get(row.pk, 0)) for row in rows]

    def get(self, request: Request) -> HttpResponse:
        if "offset" not in request.query_params:
            return super().get(request)
        offset, limit = requested_offset(request), requested_size(request)
        rows = self.found().rows.order_by(*self.ordering)
        page = self.bodies(list(rows[offset : offset + limit]))
        return reply({"jobs": page, "total": rows.count(), "limit": limit, "offset": offset})

    def post(self, request: Request) -> HttpResponse:
        sweep = forms.read(self.json())
        if request.query_params.get("dry_run", "").lower() in YES:
            return reply(preview(sweep))
        job, new = transitions.create_sweep(sweep, by=caller_of(request))
        body = {"success": True, "jobId": job.public_id, "totalTasks": sweep.grid.count}
        return reply(body, 201 if new else 200)


def preview(sweep: sweeps.Sweep) -> dict[str, object]:
    """The number of tasks that the sweep would have, and its first payloads."""
    first: list[JsonValue] = [task.payload for task in islice(sweep.tasks(), PREVIEWED)]
    return {
        "success": True,
        "dryRun": True,
        "totalTasks": sweep.grid.count,
        "payloads": first,
    }


class SweepView(JsonView):
    def get(self, request: Request, job_id: str) -> HttpResponse:
        job = known(job_id)
        return reply(
            bodies.details(
                job,
                running=progress.running_of([job]).get(job.pk, 0),
                seconds_left=progress.seconds_left(job),
                unserved=progress.unserved(job),
            )
        )


class SweepCancelView(JsonView):
    def post(self, request: Request, job_id: str) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        job = known(job_id)
        done = transitions.cancel(job.pk, by=caller_of(request).name, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return reply({**body, "cancelled": done.cancelled, "asked": done.asked})


class SweepRetryView(JsonView):
    def post(self, request: Request, job_id: str) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        job = known(job_id)
        retried = transitions.retry_failed(job.pk, by=caller_of(request).name, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return reply({**body, "retried": retried})


class ParameterSchemaView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        return reply(SCHEMA)


def known(public_id: str) -> Job:
    """The sweep of this public id, with its exact counts."""
    job = Job.objects.counted().filter(kind=JobKind.SWEEP, pk=sweeps.id_of(public_id)).first()
    if job is None:
        raise JobUnknown
    return job
