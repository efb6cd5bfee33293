"""`GET /metrics` for Prometheus, and `/api/metrics` in the words of seed 003."""

from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.models import Agent
from api.filters import TimeField
from api.viewsets import ApiViewSet
from metrics import schema, scrape, sources, summary
from problems import Invalid
from tasks import tallies
from tasks.tally_window import Window

DAY = timedelta(days=1)
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
MOST_MINUTES = 43_200  # thirty days


class PrometheusRenderer(BaseRenderer):
    """Prometheus' text, as it is."""

    media_type = CONTENT_TYPE_PLAIN_0_0_4.partition("; charset")[0]
    charset = "utf-8"
    format = "txt"
    render_style = "binary"

    def render(self, data: bytes, *args: object, **kwargs: object) -> bytes:
        return data


@schema.scrape
class ScrapeView(APIView):
    """All metrics, read anew for each request."""

    http_method_names = ["get", "head"]
    renderer_classes = [PrometheusRenderer]

    def get(self, request: Request) -> Response:
        """Show all metrics."""
        return Response(scrape.text())


@schema.summaries
class MetricsViewSet(ApiViewSet):
    """Summaries in the words of seed 003."""

    @action(detail=False)
    def summary(self, request: Request) -> Response:
        """Show what there is, and what happened within a time."""
        return Response(summary.summary(_window(request)))

    @action(detail=False)
    def health(self, request: Request) -> Response:
        """Show how the providers of models were since then, and the queue."""
        now = timezone.now()
        since = now - timedelta(minutes=_minutes(request))
        waiting = summary.backlog()
        queue = {
            "agentsOnline": Agent.objects.online().count(),
            "ready": waiting["ready"],
            "oldestReadyAgeSec": waiting["oldestReadyAgeSec"],
            "talliesBehindEvents": tallies.lag().ids,
        }
        providers = sources.providers(since)
        body = {"ok": True, "ts": now, "since": since, "providers": providers}
        return Response({**body, "coordinator": queue})


def _window(request: Request) -> Window:
    """The last day, unless `from` or `to` say otherwise."""
    now = timezone.now()
    start, end = _moment(request, "from"), _moment(request, "to")
    sound = start is None or start < (end or now)
    # Nothing is counted before or after.
    end = min(max(end or now, FIRST + DAY), now + DAY)
    start = max(start or end - DAY, FIRST)
    if not sound or start >= end:
        raise refused("from", "from must be before to, which is now where it is not given")
    return Window(start, end)


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name, "")
    try:
        return TimeField(required=False).clean(text)
    except ValidationError:
        raise refused(name, f"{name} must be a time like 2026-01-31T12:00:00Z") from None


def _minutes(request: Request) -> int:
    text = request.query_params.get("since_min", "") or "60"
    sound = text.isascii() and text.isdecimal() and len(text) <= 5
    if not sound or not 1 <= int(text) <= MOST_MINUTES:
        raise refused("since_min", f"since_min must be a whole number from 1 to {MOST_MINUTES}")
    return int(text)


def refused(name: str, message: str) -> Invalid:
    problem = Invalid(message)
    problem.details = {name: [message]}
    return problem
