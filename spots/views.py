"""The verbs of SPOTs under /internal/v1, and what is shown of SPOTs (seed 004, 2)."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django_filters import FilterSet
from rest_framework.request import Request

from accounts.callers import caller_of
from agents.models import Agent, Protocol
from api.fields import identifier
from api.views import JsonView, ListView, reply
from jobs.models import Job
from jobs.sweeps import CHANNEL
from spots import bodies, outcomes, registration
from spots.serializers import (
    ClaimRequestSerializer,
    CompleteRequestSerializer,
    FailRequestSerializer,
    HeartbeatRequestSerializer,
    HelloRequestSerializer,
)
from spots.version import VERSION
from tasks import claims, leases
from tasks.fast_path import ClaimRequest
from tasks.models import Task


class HelloView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        said = self.read_optional(HelloRequestSerializer)
        with transaction.atomic():
            spot = registration.hello(said, peer=peer_of(request))
        return reply({"spotId": spot.pk, "coordinatorVersion": VERSION})


class HeartbeatView(JsonView):
    """Renews a SPOT and the tasks that it lists; tells what it should know, if there is anything.

    Of a listed task it may hear that it is lost; of any that it holds, that it is to be cancelled.
    """

    def post(self, request: Request) -> HttpResponse:
        values = self.read(HeartbeatRequestSerializer)
        with transaction.atomic():
            spot = registration.heartbeat(values, peer=peer_of(request))
            renewed = leases.renew_listed(spot.pk, values["tasks"])
        asked = Task.objects.held_by(spot.pk).cancel_asked()
        news = {
            "lost": sorted(set(values["tasks"]) - renewed),
            "cancelled": list(asked.values_list("pk", flat=True)),
            "drain": spot.draining,
        }
        told = {name: value for name, value in news.items() if value}
        return reply({"success": True, "ok": True, **told})


class ClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(ClaimRequestSerializer)
        wanted = ClaimRequest(
            agent_id=values["spotId"],
            names=[CHANNEL],
            max_tasks=values["maxTasks"],
            lease_seconds=int(settings.TASK_TIMEOUT.total_seconds()),
            protocol=Protocol.SPOT,
        )
        tasks = claims.claim(wanted)
        jobs = Job.objects.in_bulk({task.job_id for task in tasks if task.job_id})
        return reply({"tasks": [bodies.claimed(task, jobs.get(task.job_id)) for task in tasks]})


class CompleteView(JsonView):
    def post(self, request: Request, task_id: str) -> HttpResponse:
        values = self.read(CompleteRequestSerializer)
        return reply(outcomes.complete(identifier(task_id), values, by=caller_of(request).name))


class FailView(JsonView):
    def post(self, request: Request, task_id: str) -> HttpResponse:
        values = self.read(FailRequestSerializer)
        return reply(outcomes.fail(identifier(task_id), values, by=caller_of(request).name))


class SpotsView(ListView[Agent]):
    """All SPOTs, the one heard of last on top; in pages only for those who ask for pages."""

    key = "spots"
    queryset = Agent.objects.with_online().filter(protocol=Protocol.SPOT)
    filterset_class = FilterSet
    ordering = ("-last_seen_at", "id")

    def get(self, request: Request) -> HttpResponse:
        if request.query_params.keys() & {"cursor", "limit"}:
            return super().get(request)
        return reply({self.key: self.bodies(list(self.rows().order_by(*self.ordering)))})

    def bodies(self, rows: Sequence[Agent]) -> list[dict[str, object]]:
        held = Task.objects.in_progress().filter(agent__in=[row.pk for row in rows])
        counts = dict(held.order_by().values_list("agent").annotate(Count("pk")))
        return [bodies.spot(row, tasks=counts.get(row.pk, 0)) for row in rows]


def peer_of(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
