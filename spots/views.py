"""The verbs of SPOTs under /internal/v1, and the list of SPOTs (seed 004, 2)."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from agents.models import Agent, Protocol
from api.fields import identifier
from api.filters import NoFilters
from api.views import JsonView, ListView, reply
from jobs.models import Job
from jobs.sweeps import CHANNEL
from problems import Invalid
from spots import bodies, outcomes, registration
from spots.health import VERSION
from spots.serializers import (
    REQUIRED,
    SpotClaimRequestSerializer,
    SpotCompleteRequestSerializer,
    SpotFailRequestSerializer,
    SpotHeartbeatRequestSerializer,
    SpotHelloRequestSerializer,
    SpotReleaseRequestSerializer,
)
from tasks import claims, leases
from tasks.models import Task
from tasks.rows import ClaimRequest


class SpotHelloView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read_optional(SpotHelloRequestSerializer)
        with transaction.atomic():
            spot = registration.hello(values, peer=peer_of(request))
        return reply({"spotId": spot.pk, "coordinatorVersion": VERSION})


class SpotHeartbeatView(JsonView):
    """Renews a SPOT and the tasks that it lists.

    The answer names listed tasks that the SPOT has lost, held ones that it does not list, and held
    ones that are to be cancelled. A SPOT that is known is present even if its data are refused.
    """

    def post(self, request: Request) -> HttpResponse:
        values = self.read(SpotHeartbeatRequestSerializer)
        listed, waiting, ignored = values["listed"], values["waiting"], values["ignored"]
        refusals = [ignored[name] for name in REQUIRED if name in ignored]
        if refusals:
            leases.hear(values["spotId"], listed, waiting=waiting)
            raise Invalid(refusals[0])
        with transaction.atomic():
            spot = registration.heartbeat(values, peer=peer_of(request))
            renewed = leases.renew_listed(spot.pk, listed, waiting=waiting)
            unlisted = leases.unlisted(spot.pk, listed) if values["tasks"] is not None else []
        asked = Task.objects.held_by(spot.pk).cancel_asked()
        news = {
            "lost": sorted(set(listed) - renewed),
            "unlisted": unlisted,
            "cancelled": list(asked.values_list("pk", flat=True)),
            "drain": spot.draining,
            "ignored": ignored,
        }
        return reply({"success": True, "ok": True, **{k: v for k, v in news.items() if v}})


class SpotClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(SpotClaimRequestSerializer)
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


class SpotCompleteView(JsonView):
    def post(self, request: Request, task_id: str) -> HttpResponse:
        values = self.read(SpotCompleteRequestSerializer)
        return reply(outcomes.complete(identifier(task_id), values, by=caller_of(request).name))


class SpotFailView(JsonView):
    def post(self, request: Request, task_id: str) -> HttpResponse:
        values = self.read(SpotFailRequestSerializer)
        return reply(outcomes.fail(identifier(task_id), values, by=caller_of(request).name))


class SpotReleaseView(JsonView):
    def post(self, request: Request, task_id: str) -> HttpResponse:
        values = self.read(SpotReleaseRequestSerializer)
        return reply(outcomes.release(identifier(task_id), values))


class SpotsView(ListView[Agent]):
    """SPOTs, the last seen first: a whole fleet, page by page only where there are very many."""

    key = "spots"
    queryset = Agent.objects.with_online().filter(protocol=Protocol.SPOT)
    filterset_class = NoFilters
    ordering = ("-last_seen_at", "id")
    usual = 5_000

    def bodies(self, rows: Sequence[Agent]) -> list[dict[str, object]]:
        held = Task.objects.in_progress().filter(agent__in=[row.pk for row in rows])
        counts = dict(held.order_by().values_list("agent").annotate(Count("pk")))
        return [bodies.spot(row, tasks=counts.get(row.pk, 0)) for row in rows]


def peer_of(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
