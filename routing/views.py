"""The function `router-select`, and how calls were routed: `/api/metrics/routing`."""

import hashlib
from dataclasses import replace

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import caller_of
from accounts.scopes import Scope
from api.viewsets import ApiViewSet
from collab.functions import THROTTLES, FunctionViewSet
from collab.serializers import refused
from routing import schema, showing, transitions
from routing.call_models import Outcome
from routing.candidates import RouteRequest, Service
from routing.client import RouterSelectClient
from routing.exceptions import BodyDiffers
from routing.serializers import RouterSelectRequestSerializer
from routing.transitions import Finished


class RouterSelectViewSet(FunctionViewSet):
    function_scope = Scope.READ
    throttle_scope = THROTTLES[Scope.READ]
    users_may = frozenset({"select"})

    @schema.select
    def select(self, request: Request) -> Response:
        """Rank the models that could serve a call, for who makes it without the coordinator.

        A snapshot of it is kept. The keys that the headers refer to are in the key vault.
        """
        _check_digest(request)
        wanted = _for_caller(request, RouterSelectRequestSerializer.read(request.data)["wanted"])
        found = RouterSelectClient().rank(wanted)
        first = found.ranking.first
        selected = first.candidate if first else None
        transitions.record(Finished(found, Outcome.RANKED, selected=selected))
        return Response(showing.selection(found))


class RoutingMetricsViewSet(ApiViewSet):
    """How calls are routed, in the words of seed 003."""

    @schema.metrics
    def show(self, request: Request) -> Response:
        """Show the latest ranking of a service, and its latest calls."""
        service = request.query_params.get("service", "")
        if service not in Service.values:
            raise refused("service", f"must be one of {', '.join(Service.values)}")
        return Response(showing.metrics(service, _limit(request)))


def _for_caller(request: Request, wanted: RouteRequest) -> RouteRequest:
    """Users ask for themselves; who steers everything asks for whom they name."""
    caller = caller_of(request)
    if caller.steers_all and wanted.tenant_id is not None:
        return wanted
    return replace(wanted, tenant_id=caller.user_id)


def _check_digest(request: Request) -> None:
    """Verify the body, where the caller sends its SHA-256. Raises BodyDiffers."""
    sent = request.headers.get("Content-SHA256", "").strip().lower()
    if sent and sent != hashlib.sha256(request._request.body).hexdigest():
        raise BodyDiffers


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "") or str(schema.USUAL_RECENT)
    sound = text.isascii() and text.isdecimal() and len(text) <= 3
    if not sound or not 1 <= int(text) <= schema.MOST_RECENT:
        raise refused("limit", f"must be a whole number from 1 to {schema.MOST_RECENT}")
    return int(text)
