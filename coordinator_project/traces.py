"""OpenTelemetry, where `COORDINATOR_TRACES` asks for it: spans of requests, and of tasks' leases.

A task that is made within a trace keeps its `traceparent`. What follows is told from the journal,
once it is committed: how long the task waited for each of its leases, and how each of them ended.
So no claim or report pays for it, and a lease that ran out is told as one that was reported.

Only times, names and codes are told: no query (it may have a token), no payload, result or reason.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache

from asgiref.sync import iscoroutinefunction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api.traces import HEADER
from coordinator_project import endings
from events.context import request_id
from problems.families import is_api
from tasks.signals import events_folded
from tasks.traced import TracedLease, leases

NOT_TRACED = ("/health", "/livez", "/readyz", "/metrics")
IN_META = "HTTP_TRACEPARENT"

Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

context_of = TraceContextTextMapPropagator()


@cache
def tracer() -> Tracer:
    """Made by the first span of a process: processes are forked, and each sends its own."""
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins.
    named = Resource.create({SERVICE_NAME: "coordinator"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    endings.add(provider.shutdown)
    return provider.get_tracer("coordinator")


@sync_and_async_middleware
def trace_requests(get_response: Sync | Async) -> Sync | Async:
    """A span for each request to an API, within the trace that the request names.

    What the request makes belongs to that span: its `traceparent` takes the place of the header.
    """
    if iscoroutinefunction(get_response):
        return _async(get_response)
    return _sync(get_response)  # type: ignore[arg-type]  # iscoroutinefunction does not narrow the other branch


def _async(get_response: Async) -> Async:
    async def answer(request: HttpRequest) -> HttpResponseBase:
        with span_of(request) as span:
            response = await get_response(request)
            _finish(span, request, response)
        return response

    return answer


def _sync(get_response: Sync) -> Sync:
    def answer(request: HttpRequest) -> HttpResponseBase:
        with span_of(request) as span:
            response = get_response(request)
            _finish(span, request, response)
        return response

    return answer


@contextmanager
def span_of(request: HttpRequest) -> Iterator[Span | None]:
    if not is_api(request.path) or request.path in NOT_TRACED:
        yield None
        return
    # Not by `request.headers`, which would keep what is there now.
    within = context_of.extract({HEADER: request.META.get(IN_META, "")})
    with tracer().start_as_current_span(
        str(request.method), within, SpanKind.SERVER, record_exception=False
    ) as span:
        if span.is_recording():
            carrier: dict[str, str] = {}
            context_of.inject(carrier, set_span_in_context(span))
            request.META[IN_META] = carrier[HEADER]
        yield span


def _finish(span: Span | None, request: HttpRequest, response: HttpResponseBase) -> None:
    if span is None or not span.is_recording():
        return
    match = request.resolver_match
    if match:
        span.update_name(f"{request.method} /{match.route}")
        span.set_attribute("http.route", f"/{match.route}")
    span.set_attributes(
        {
            "http.request.method": str(request.method),
            "url.path": request.path,
            "http.response.status_code": response.status_code,
            "coordinator.request_id": request_id.get(),
        }
    )
    if response.status_code >= 500:
        span.set_status(StatusCode.ERROR)


@receiver(events_folded)
def tell_leases(low: int, high: int, **kwargs: object) -> None:
    """A span for each wait and each run of a traced task that ended in these events."""
    for lease in leases(low, high):
        _tell(lease)


def _tell(lease: TracedLease) -> None:
    kind = SpanKind.CONSUMER if lease.ran else SpanKind.INTERNAL
    span = tracer().start_span(
        f"{'run' if lease.ran else 'wait'} {lease.channel}",
        context_of.extract({HEADER: lease.trace}),
        kind,
        start_time=_nanoseconds(lease.since),
        attributes={
            "coordinator.task.id": lease.task_id,
            "coordinator.task.type": lease.type,
            "coordinator.channel": lease.channel,
            "coordinator.agent.id": lease.agent_id,
            "coordinator.lease_epoch": lease.epoch,
            "coordinator.request_id": lease.request_id,
        },
    )
    if lease.ran:
        span.set_attribute("coordinator.task.status", lease.status)
        span.set_attribute("coordinator.task.reason", lease.reason)
    if lease.went_wrong:
        span.set_status(StatusCode.ERROR)
    span.end(_nanoseconds(lease.until))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
