"""The verbs of SPOTs under /internal/v1, and the list of SPOTs (seed 004, 2)."""

from collections.abc import Collection
from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import AgentKeyAuthentication
from accounts.callers import Caller, caller_of
from accounts.permissions import AsAgent
from agents.models import Agent, Protocol
from agents.ownership import speak_for
from agents.verbs import AGENT_VERBS
from api.answers import Body, filled
from api.body import JsonValue
from api.fields import identifier
from api.names import spelled
from api.serializers import Values
from api.viewsets import ApiViewSet, ListViewSet
from console.audited import Audited
from jobs.models import Job
from jobs.sweeps import CHANNEL
from problems import Invalid
from spots import answers, outcomes, registration, schema
from spots.health import VERSION
from spots.serializers import (
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
from tasks.scope import beyond_channel
from tasks.serializers import refusal
from tasks.views import AuditedTasks

OF_ITSELF = AsAgent("spotId", protocol=Protocol.SPOT)
OF_SPOTS: list[type[BaseAuthentication]] = [
    AgentKeyAuthentication,
    *ApiViewSet.authentication_classes,
]


def beyond_sweeps(data: JsonValue, caller: Caller) -> Collection[str]:
    """The channel of sweeps, unless it is for the caller."""
    return beyond_channel(CHANNEL, caller)


class OfSpots(ApiViewSet):
    """A resource that SPOTs use, with their key or as any other caller."""

    authentication_classes = OF_SPOTS


@schema.spots
class SpotViewSet(Audited, OfSpots):
    """What a SPOT says of itself."""

    audited_as, audited_model = AGENT_VERBS[0], Agent
    audited_fields = {"hello": "spotId"}
    audited_unlocked = frozenset({"hello"})
    not_audited = frozenset({"heartbeat"})
    made = {"spotId": "agent"}

    def audited_key(self, text: str) -> str:
        return spelled(text)

    agents_may = {"hello": replace(OF_ITSELF, may_be_new=True), "heartbeat": OF_ITSELF}

    @action(detail=False, methods=["post"], body_is_optional=True, throttle_scope="heartbeat")
    def hello(self, request: Request) -> Response:
        """Register a SPOT, or start one anew: what it held before is released."""
        values = SpotHelloRequestSerializer.read(request.data)
        spot_id = values["spotId"] or registration.new_id()
        speak_for(spot_id, caller_of(request), Protocol.SPOT)
        with transaction.atomic():
            spot = registration.hello(values, spot_id, peer=peer_of(request))
        return Response({"spotId": spot.pk, "coordinatorVersion": VERSION})

    @action(detail=False, methods=["post"], throttle_scope="heartbeat")
    def heartbeat(self, request: Request) -> Response:
        """Renew a SPOT and the tasks that it lists.

        The answer names listed tasks that the SPOT has lost, held ones that it does not list, and
        held ones that are to be cancelled. A SPOT that is known is present even if its data are
        refused.
        """
        news = beat(SpotHeartbeatRequestSerializer.read(request.data), peer=peer_of(request))
        return Response({"success": True, "ok": True, **news})


@schema.tasks
class SpotTaskViewSet(AuditedTasks, OfSpots):
    """The tasks of SPOTs."""

    audited_unlocked = frozenset({"complete", "fail", "release"})

    lookup_url_kwarg = "task_id"
    lookup_value_regex = "[^/]+"
    agents_may = {
        "claim": AsAgent("spotId", beyond_sweeps, Protocol.SPOT),
        **dict.fromkeys(("complete", "fail", "release"), OF_ITSELF),
    }

    @action(detail=False, methods=["post"], throttle_scope="claim")
    def claim(self, request: Request) -> Response:
        """Claim up to ten tasks of sweeps for a SPOT."""
        tasks = claims.claim(claim_request(SpotClaimRequestSerializer.read(request.data)))
        jobs = Job.objects.in_bulk({task.job_id for task in tasks if task.job_id})
        return Response({"tasks": [answers.claimed(task, jobs.get(task.job_id)) for task in tasks]})

    @action(detail=True, methods=["post"], throttle_scope="report")
    def complete(self, request: Request, task_id: str) -> Response:
        """Complete a task with its result; the same report again is taken."""
        values = SpotCompleteRequestSerializer.read(request.data)
        return Response(outcomes.complete(identifier(task_id), values, by=caller_of(request).name))

    @action(detail=True, methods=["post"], throttle_scope="report")
    def fail(self, request: Request, task_id: str) -> Response:
        """End an attempt that failed; the same report again changes nothing."""
        values = SpotFailRequestSerializer.read(request.data)
        return Response(outcomes.fail(identifier(task_id), values, by=caller_of(request).name))

    @action(detail=True, methods=["post"], throttle_scope="report")
    def release(self, request: Request, task_id: str) -> Response:
        """Give a task back undone, at no cost to it."""
        values = SpotReleaseRequestSerializer.read(request.data)
        return Response(outcomes.release(identifier(task_id), values))


class SpotListViewSet(ListViewSet[Agent]):
    """SPOTs, the last seen first: a whole fleet, page by page only where there are very many."""

    queryset = Agent.objects.with_online().filter(protocol=Protocol.SPOT)
    serializer_class = answers.SpotSerializer
    owner = "user"
    list_key = "spots"
    ordering = ("-last_seen_at", "id")
    usual = 5_000

    def completed(self, rows: list[Agent]) -> list[Agent]:
        held = Task.objects.in_progress().filter(agent__in=[row.pk for row in rows])
        counts = dict(held.order_by().values_list("agent").annotate(Count("pk")))
        for row in rows:
            row.held = counts.get(row.pk, 0)
        return rows


def beat(values: Values, *, peer: str) -> Body:
    """Take a heartbeat; what the SPOT should know, as far as there is anything."""
    listed, waiting = values["listed"], values["waiting"]
    if wrong := refusal(values, SpotHeartbeatRequestSerializer.refusing):
        leases.hear(values["spotId"], listed, waiting=waiting)
        raise Invalid(wrong)
    with transaction.atomic():
        spot = registration.heartbeat(values, peer=peer)
        renewed = leases.renew_listed(spot.pk, listed, waiting=waiting)
        unlisted = leases.unlisted(spot.pk, listed) if values["tasks"] is not None else []
    asked = Task.objects.held_by(spot.pk).cancel_asked()
    return filled(
        lost=[*sorted(set(listed) - renewed), *values["unknown"]],
        unlisted=unlisted,
        cancelled=list(asked.values_list("pk", flat=True)),
        drain=spot.draining,
        ignored=values["ignored"],
    )


def claim_request(values: Values) -> ClaimRequest:
    return ClaimRequest(
        agent_id=values["spotId"],
        names=[CHANNEL],
        max_tasks=values["maxTasks"],
        lease_seconds=int(settings.TASK_TIMEOUT.total_seconds()),
        protocol=Protocol.SPOT,
    )


def peer_of(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
