"""Jobs under /api/v1: create, show, cancel, retry; results of sweeps (seeds 001, 004)."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller, caller_of
from accounts.permissions import MayAdminister
from api import fields
from api.body import JsonValue
from api.filters import flag
from api.marks import unmarked
from api.names import spelled
from api.pagination import requested_offset, requested_size
from api.traces import traceparent_of
from api.viewsets import ListViewSet
from console.audited import Audited
from jobs import (
    command_forms,
    command_transitions,
    commands,
    forms,
    progress,
    result_answers,
    schema,
    statistics,
    sweeps,
    transitions,
)
from jobs.answers import JobDetailsSerializer
from jobs.apps import COMMANDS, JOBS
from jobs.command_answers import AnyJobSerializer, CommandSerializer
from jobs.exceptions import JobUnknown
from jobs.filters import JobFilters
from jobs.models import Command, Job, JobKind
from jobs.parameter_schema import SCHEMA
from jobs.querysets import JobQuerySet
from jobs.verbs import JOB_VERBS
from problems import Invalid
from problems.families import answer_as
from tasks.models import KEY_LENGTH
from tasks.serializers import ReasonRequestSerializer

PREVIEWED = 5


@schema.jobs
class JobViewSet(Audited, ListViewSet[Job]):
    """Sweeps and commands, the newest first; the id of a job says what it is."""

    audited_as, audited_model = JOB_VERBS[0], Job

    queryset = Job.objects.counted().with_program()
    serializer_class = AnyJobSerializer
    filterset_class = JobFilters
    owner = "user"
    users_may = frozenset({"create"})
    list_key = "jobs"
    ordering = ("-id",)
    lookup_url_kwarg = "job_id"
    lookup_value_regex = "[^/]+"

    def audited_key(self, text: str) -> UUID:
        return fields.job_identifier(text)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Errors have the form of commands where it is about one, or about all jobs."""
        asked: Request = super().initialize_request(request, *args, **kwargs)
        job_id = self.kwargs.get("job_id")
        answers = str(request.method).lower() in self.action_map
        if answers if job_id is None else commands.is_id(job_id):
            answer_as(request, COMMANDS)
        return asked

    def check_permissions(self, request: Request) -> None:
        """What is wrong with a new job is said as of a sweep, unless its body is a command's."""
        super().check_permissions(request)
        if self.action == "create":
            answer_as(request._request, JOBS)

    def get_permissions(self) -> Sequence[Any]:
        if self.action in {"destroy", "kill"}:
            return [MayAdminister()]
        return super().get_permissions()

    def get_object(self) -> Job:
        job = known(self.kwargs["job_id"])
        self.check_object_permissions(self.request, job)
        return job

    def sweep(self) -> Job:
        """The job of the path, which has to be a sweep."""
        job = self.get_object()
        if job.kind != JobKind.SWEEP:
            raise JobUnknown("A command has no results.")
        return job

    def completed(self, rows: list[Job]) -> Sequence[Job]:
        return progress.with_particulars(rows)

    def list(self, request: Request) -> Response:
        """List jobs; without a cursor, with `total`, the number of all that match."""
        if "cursor" in request.query_params:
            return super().list(request)
        offset, limit = requested_offset(request), requested_size(request)
        found: Any = self.filter_queryset(self.get_queryset())
        rows: JobQuerySet = found.rows.order_by(*self.ordering)
        whole = {"total": rows.count(), "limit": limit, "offset": offset}
        if "offset" not in request.query_params:
            return Response(super().list(request).data | whole)
        page = self.completed(list(rows[offset : offset + limit]))
        return Response({"jobs": [AnyJobSerializer.shown(row) for row in page], **whole})

    def create(self, request: Request) -> Response:
        """Create a command, or a sweep from either form; with `dry_run`, say what it would be.

        A body with `job_command` or `source_type` is for a command.
        """
        caller = caller_of(request)
        if command_forms.is_command(request.data):
            answer_as(request._request, COMMANDS)
            return submitted(request, caller)
        sweep = forms.read(unmarked(request.data))
        if flag(request.query_params, "dry_run"):
            return Response(preview(sweep))
        job, new = transitions.create_sweep(sweep, by=caller)
        body = {"success": True, "jobId": job.public_id, "totalTasks": sweep.grid.count}
        return Response(body, 201 if new else 200)

    def retrieve(self, request: Request, job_id: str) -> Response:
        """Show a command; or a sweep with its specification and an estimate of its end."""
        job = self.get_object()
        if job.kind == JobKind.COMMAND:
            return of_command(command_transitions.known(job.pk))
        return Response(JobDetailsSerializer(progress.with_details(job)).data)

    def destroy(self, request: Request, job_id: str) -> Response:
        """Delete a job that has ended, with its tasks, their logs and files."""
        transitions.delete(self.get_object().pk, by=caller_of(request).name)
        return Response(status=204)

    @action(detail=True, methods=["post", "put"], body_is_optional=True)
    def cancel(self, request: Request, job_id: str) -> Response:
        """Cancel a job: what waits at once, what is in progress is asked to stop."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        job, by = self.get_object(), caller_of(request).name
        if job.kind == JobKind.COMMAND:
            return of_command(command_transitions.cancel(job.pk, by=by, reason=reason))
        done = transitions.cancel(job.pk, by=by, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return Response({**body, "cancelled": done.cancelled, "asked": done.asked})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def kill(self, request: Request, job_id: str) -> Response:
        """Cancel a command at once; its runner ends it when it next hears of it."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        job, by = self.get_object(), caller_of(request).name
        if job.kind != JobKind.COMMAND:
            raise JobUnknown("Only a command is killed.")
        return of_command(command_transitions.kill(job.pk, by=by, reason=reason))

    @action(detail=True, methods=["post"], body_is_optional=True)
    def retry(self, request: Request, job_id: str) -> Response:
        """Give the failed tasks of a sweep all their attempts again; or make a command anew."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        job, by = self.get_object(), caller_of(request)
        if job.kind == JobKind.COMMAND:
            return of_command(command_transitions.retry(job.pk, by=by), 201)
        retried = transitions.retry_failed(job.pk, by=by.name, reason=reason)
        body = {"success": True, "jobId": job.public_id, "status": known(job_id).counted_status}
        return Response({**body, "retried": retried})

    @action(detail=True)
    def results(self, request: Request, job_id: str) -> HttpResponseBase:
        """Show all results in the order of creation, or as filtered and sorted.

        `param.<name>` filters by the parameter of that name. Answers of any length take little
        memory: their rows are read a few at a time.
        """
        return result_answers.answer(request, self.sweep())

    @action(detail=True)
    def best(self, request: Request, job_id: str) -> Response:
        """Show the smallest `fopt` of all, and of each value of each parameter."""
        return Response(statistics.best(self.sweep()))

    @action(detail=True)
    def statistics(self, request: Request, job_id: str) -> Response:
        """Show how `fopt` is distributed: over all, and by each value of each parameter."""
        return Response(statistics.statistics(self.sweep()))


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


def submitted(request: Request, caller: Caller) -> Response:
    """Make the command of a request; the header `Idempotency-Key` makes a repetition the same."""
    key = spelled(request.headers.get("Idempotency-Key", ""))
    if len(key) > KEY_LENGTH:
        raise Invalid(f"Idempotency-Key must not be longer than {KEY_LENGTH} characters")
    asked = command_forms.read(request.data, key)
    command, new = command_transitions.submit(asked, by=caller, trace=traceparent_of(request))
    return of_command(command, 201 if new else 200)


def of_command(command: Command, status: int = 200) -> Response:
    return Response(CommandSerializer.shown(command), status)


def known(public_id: str) -> Job:
    """The job of this public id, with its exact counts."""
    asked: dict[str, Any] = {"kind": JobKind.SWEEP, "pk": sweeps.id_of(public_id)}
    if commands.is_id(public_id):
        asked = {"kind": JobKind.COMMAND, "pk": fields.identifier(public_id.strip())}
    job = Job.objects.counted().filter(**asked).first()
    if job is None:
        raise JobUnknown
    return job
