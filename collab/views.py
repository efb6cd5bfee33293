"""Jobs under /api/collab as they are read (contract 003, 1.1)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import caller_of
from accounts.filters import OwnRowsFilterBackend
from accounts.ownership import visible
from api import sizes
from api.answers import AnswerSerializer, Body
from api.viewsets import ListViewSet
from collab import artifacts, counts, events, schema
from collab.answers import CollabArtifactSerializer, CollabJobSerializer, JobEventSerializer
from collab.filters import JobFilterBackend, JobFilters
from collab.models import CollabJob
from collab.pagination import NewestPagination
from collab.viewsets import CollabViewSet, OfJobViewSet

LATEST = 10


@schema.health
class CollabHealthView(APIView):
    """Public, without the database."""

    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    def get(self, request: Request) -> Response:
        """Say that the process answers."""
        return Response({"ok": True, "timestamp": timezone.now()})


@schema.jobs
class CollabJobViewSet(OfJobViewSet):
    """One job."""

    def retrieve(self, request: Request, job_id: UUID) -> Response:
        """Show a job."""
        return Response(CollabJobSerializer.shown(self.get_object()))

    @action(detail=True)
    def summary(self, request: Request, job_id: UUID) -> Response:
        """Show a job with its artifacts and its events."""
        job = self.get_object()
        return Response(
            {
                "job": CollabJobSerializer.shown(job),
                "artifacts": shown(CollabArtifactSerializer, artifacts.of(job)),
                "events": shown(JobEventSerializer, events.of(job.pk)),
            }
        )


@schema.artifacts
class JobArtifactViewSet(OfJobViewSet):
    """The artifacts of one job."""

    def retrieve(self, request: Request, job_id: UUID) -> Response:
        """List the artifacts of a job."""
        return Response(items(CollabArtifactSerializer, artifacts.of(self.get_object())))


@schema.events
class JobEventViewSet(OfJobViewSet):
    """The events of one job."""

    def retrieve(self, request: Request, job_id: UUID) -> Response:
        """List the events of a job in the order in which they happened."""
        return Response(items(JobEventSerializer, events.of(self.get_object().pk)))


@schema.recent
class RecentJobsViewSet(CollabViewSet, ListViewSet[CollabJob]):
    """Jobs, the newest first."""

    queryset = CollabJob.objects.shown()
    serializer_class = CollabJobSerializer
    filter_backends = [JobFilterBackend, OwnRowsFilterBackend]  # type: ignore[list-item]  # Found
    filterset_class = JobFilters
    pagination_class = NewestPagination
    owner = "user"
    list_key = "items"


@schema.overview
class OverviewViewSet(CollabViewSet):
    """How many jobs there are, and the latest."""

    users_may = frozenset({"list"})

    def list(self, request: Request) -> Response:
        """Count the jobs by status, and show the latest."""
        found, estimated = counts.by_status(caller_of(request))
        latest = visible(CollabJob.objects.shown(), caller_of(request)).order_by("-pk")
        said = {"estimated": estimated} if estimated else {}
        jobs = shown(CollabJobSerializer, sizes.first(latest, LATEST))
        return Response({"ok": True, "counts": found, **said, "latest": jobs, "ts": timezone.now()})


def shown(kind: type[AnswerSerializer], rows: Sequence[object]) -> list[Body]:
    return [kind.shown(row) for row in rows]


def items(kind: type[AnswerSerializer], rows: Sequence[object]) -> Mapping[str, object]:
    """Rows as a list of seed 003."""
    return {"items": shown(kind, rows), "count": len(rows)}
