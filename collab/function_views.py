"""The functions that read, sign and steer jobs (contract 003, 7)."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import ownership
from accounts.callers import CallerKind, caller_of
from accounts.permissions import NotAllowed, ReadOrOperate
from accounts.rights import OPERATE, SAFE_METHODS
from agents.models import Agent
from api import sizes
from artifacts.keys import checked_path
from collab import artifacts, dead_letters, function_schema, objects, signing, workers
from collab.answers import (
    CollabArtifactSerializer,
    CollabDeadLetterSerializer,
    WorkerSerializer,
)
from collab.functions import OpsFunction, ReadFunction, SignFunction, id_in
from collab.models import CollabJob
from collab.pagination import FunctionPagination, limit_in
from collab.serializers import CollabRequestSerializer, RetryRequestSerializer, refused
from collab.views import OverviewViewSet, RecentJobsViewSet, items
from collab.viewsets import OfJobViewSet
from tasks import leases
from tasks.views import AuditedTasks

SOON = 5  # seconds


@function_schema.overview
class MetricsOverviewViewSet(ReadFunction, OverviewViewSet):
    """As /api/collab/metrics/overview."""

    fresh_for = SOON


@function_schema.recent
class JobsRecentViewSet(ReadFunction, RecentJobsViewSet):
    """As /api/collab/jobs/recent."""

    fresh_for = SOON
    pagination_class = FunctionPagination


class ArtifactsListViewSet(ReadFunction, OfJobViewSet):
    @function_schema.artifacts
    def show(self, request: Request) -> Response:
        """List the artifacts of a job."""
        self.kwargs["job_id"] = id_in(request, "jobId")
        return Response(items(CollabArtifactSerializer, artifacts.of(self.get_object())))


class JobStatusViewSet(ReadFunction, OfJobViewSet):
    @function_schema.status
    def show(self, request: Request) -> Response:
        """Show the status of a job, and its result."""
        self.kwargs["job_id"] = id_in(request, "id")
        job = self.get_object()
        shown = {"id": job.pk, "status": job.job_status, "result": job.result}
        return Response({"ok": True, "job": shown})


class WorkersActiveViewSet(ReadFunction):
    fresh_for = SOON

    @function_schema.workers
    def show(self, request: Request) -> Response:
        """List the workers that were seen within 20 seconds, the last seen first."""
        rows = ownership.visible(Agent.objects.all(), caller_of(request))
        return Response({**items(WorkerSerializer, workers.active(rows)), "ts": timezone.now()})


class DeadLettersViewSet(ReadFunction):
    @function_schema.dead_letters
    def show(self, request: Request) -> Response:
        """List the dead letters, the latest first."""
        newest = dead_letters.newest(caller_of(request))
        ids = list(newest.values_list("task", flat=True)[: limit_in(request)])
        rows = CollabJob.objects.shown()
        jobs: Any = sizes.in_order(rows, sizes.fitting(rows, ids))
        letters = [job for job in jobs if job.letter]  # unless it was requeued meanwhile
        return Response({**items(CollabDeadLetterSerializer, letters), "ts": timezone.now()})


class RetryViewSet(AuditedTasks, OpsFunction):
    made = {"jobId": "task"}
    users_may = frozenset({"retry"})

    @function_schema.retry
    def retry(self, request: Request) -> Response:
        """Queue the job of a dead letter once more, as a new one. The old one stays as it is."""
        letter_id = RetryRequestSerializer.read(request.data)["dlqId"]
        return Response({"jobId": dead_letters.replay(letter_id, by=caller_of(request))})


class MayRelease(ReadOrOperate):
    """Who may operate; a browser by POST alone, since any page can make it send a GET."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        caller = caller_of(request)
        if not caller.steers_all:
            raise NotAllowed(f"{caller.name} may not do this: {OPERATE} is missing.")
        if caller.kind == CallerKind.USER and request.method in SAFE_METHODS:
            raise NotAllowed("Send it by POST, with the CSRF token.")
        return True

    def in_words(self, method: str, view: APIView) -> str:
        return "Who may operate; by GET with a token."


class LeasesReleaseViewSet(OpsFunction):
    http_method_names = ["get", "post"]
    permission_classes = [MayRelease]
    body_is_optional = True

    @function_schema.release
    def release(self, request: Request) -> Response:
        """Take back the tasks whose leases have run out, as the coordinator does by itself.

        Those that have an attempt left are queued again, others become dead letters.
        """
        CollabRequestSerializer.read(request.data)
        reaped = leases.expire_leases()
        released, failed = len(reaped.retried), len(reaped.failed)
        return Response({"released": released, "deadLettered": failed, "ts": timezone.now()})


class SignArtifactViewSet(SignFunction):
    users_may = frozenset({"sign"})

    @function_schema.sign
    def sign(self, request: Request) -> Response:
        """Make a URL by which anybody can get a file of a job until it expires."""
        bucket, path = text_in(request, "bucket"), checked_path(text_in(request, "path"))
        seconds = seconds_in(request)
        job, name = objects.job_at(bucket, path)
        ownership.check(job.user_id, caller_of(request), changes=False)
        objects.file_of(job, name)
        url = request.build_absolute_uri(signing.signed_path(bucket, path, seconds=seconds))
        return Response({"url": url, "bucket": bucket, "path": path, "expires": seconds})


def text_in(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if not text:
        raise refused(name, "is required")
    return text


def seconds_in(request: Request) -> int:
    """For how long a URL is to be good."""
    text = request.query_params.get("expires", "") or str(signing.usual())
    if not signing.TIME.fullmatch(text) or not signing.SHORTEST <= int(text) <= signing.LONGEST:
        raise refused("expires", f"must be from {signing.SHORTEST} to {signing.LONGEST} seconds")
    return int(text)
