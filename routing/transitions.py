"""The only writers of health, usage and snapshots."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from routing.attempts import Attempt
from routing.candidates import Candidate
from routing.catalogue import FORGIVEN
from routing.client import Selection
from routing.models import Outcome, RoutingSnapshot, UsageCounter
from routing.rank import Excluded, Ranked

ALPHA = 0.2
BATCH = 1_000
FIRST = 10
"""How many candidates a snapshot keeps."""

OBSERVE = f"""
INSERT INTO routing_providerhealth AS h
  (provider_id, region, latency_ms, deviation_ms, error_rate, calls, updated_at,
   parked_until, parked_because, last_error, last_error_at)
SELECT p.id, %(region)s, %(ms)s::float8, 0, {ALPHA} * coalesce(%(error)s::float8, 0),
  (%(error)s::float8 IS NOT NULL)::int,
  CASE WHEN %(error)s::float8 IS NOT NULL THEN clock_timestamp() END,
  clock_timestamp() + %(pause)s::float8 * interval '1 second', %(because)s, %(word)s,
  CASE WHEN %(word)s <> '' THEN clock_timestamp() END
FROM routing_provider p WHERE p.name = %(provider)s
ON CONFLICT (provider_id, region) DO UPDATE SET
  latency_ms = CASE WHEN h.latency_ms IS NULL THEN excluded.latency_ms
    ELSE h.latency_ms + {ALPHA} * coalesce(excluded.latency_ms - h.latency_ms, 0) END,
  deviation_ms = h.deviation_ms
    + {ALPHA} * coalesce(abs(excluded.latency_ms - h.latency_ms) - h.deviation_ms, 0),
  error_rate = CASE WHEN excluded.calls = 0 THEN h.error_rate
    ELSE {1 - ALPHA} * h.error_rate * 0.5 ^ least(greatest(
      extract(epoch FROM excluded.updated_at - h.updated_at)::float8 / %(forgiven)s, 0), 1000)
    + excluded.error_rate END,
  calls = h.calls + excluded.calls,
  updated_at = greatest(excluded.updated_at, h.updated_at),
  parked_because = CASE
    WHEN excluded.parked_until > coalesce(h.parked_until, '-infinity') THEN excluded.parked_because
    ELSE h.parked_because END,
  parked_until = greatest(h.parked_until, excluded.parked_until),
  last_error = CASE WHEN excluded.last_error <> '' THEN excluded.last_error
    ELSE h.last_error END,
  last_error_at = coalesce(excluded.last_error_at, h.last_error_at)"""  # noqa: S608
COUNT_USAGE = """
WITH ever AS (
  INSERT INTO routing_usagetotal AS t (provider, model, calls, input_tokens, output_tokens, cost)
  VALUES (%(provider)s, %(model)s, 1, %(tokens_in)s, %(tokens_out)s, %(cost)s)
  ON CONFLICT (provider, model) DO UPDATE SET calls = t.calls + 1,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost)
INSERT INTO routing_usagecounter AS u
  (day, provider, model, tenant_id, agent, channel, calls, input_tokens, output_tokens, cost)
VALUES ((now() AT TIME ZONE 'UTC')::date, %(provider)s, %(model)s, %(tenant)s::uuid, %(agent)s,
  %(channel)s, 1, %(tokens_in)s, %(tokens_out)s, %(cost)s)
ON CONFLICT (day, provider, model, tenant_id, agent, channel) DO UPDATE SET calls = u.calls + 1,
  input_tokens = u.input_tokens + excluded.input_tokens,
  output_tokens = u.output_tokens + excluded.output_tokens, cost = u.cost + excluded.cost"""
COUNT_FAILOVERS = """
INSERT INTO routing_failovertotal AS f (reason, count)
SELECT * FROM unnest(%s::text[], %s::bigint[]) ORDER BY 1
ON CONFLICT (reason) DO UPDATE SET count = f.count + excluded.count"""


@dataclass(frozen=True, slots=True)
class Used:
    """What an answered call has used up."""

    tokens_in: int
    tokens_out: int
    cost: Decimal
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that has come to its end: how it was routed, whom it asked, what it used up."""

    selection: Selection
    outcome: Outcome
    attempts: Sequence[Attempt] = ()
    selected: Candidate | None = None
    used: Used | None = None
    reason: str = ""


def observe(attempt: Attempt) -> None:
    """Note how a provider was in one attempt: a moving average, in one statement.

    A park that ends later than another stays. Nothing is noted of a provider that is gone. Who has
    waited for the row comes to it with a time before its own, which is then no age.
    """
    seen = attempt.seen
    with connection.cursor() as cursor:
        cursor.execute(
            OBSERVE,
            {
                "provider": attempt.candidate.provider,
                "region": attempt.candidate.region,
                "ms": seen.latency_ms,
                "error": None if seen.failed is None else float(seen.failed),
                "pause": seen.pause or None,
                "because": seen.parked_because,
                "word": attempt.word,
                "forgiven": FORGIVEN.total_seconds(),
            },
        )


@transaction.atomic
def record(call: Finished) -> RoutingSnapshot:
    """Keep the snapshot of a call, and count what it used up and how often it went on."""
    snapshot = _keep(call)
    request = call.selection.request
    with connection.cursor() as cursor:
        if call.used is not None and call.selected is not None:
            cursor.execute(
                COUNT_USAGE,
                {
                    "provider": call.selected.provider,
                    "model": call.selected.model,
                    "tenant": request.tenant_id,
                    "agent": request.agent,
                    "channel": request.channel,
                    "tokens_in": call.used.tokens_in,
                    "tokens_out": call.used.tokens_out,
                    "cost": call.used.cost,
                },
            )
        went_on = Counter(attempt.word for attempt in call.attempts[:-1])
        if went_on:
            cursor.execute(COUNT_FAILOVERS, [list(went_on), list(went_on.values())])
    return snapshot


def _keep(call: Finished) -> RoutingSnapshot:
    request, ranking = call.selection.request, call.selection.ranking
    selected, used = call.selected, call.used
    return RoutingSnapshot.objects.create(
        request_id=call.selection.request_id,
        service=request.service,
        intent=request.intent,
        tenant_id=request.tenant_id,
        agent=request.agent,
        channel=request.channel,
        request={
            "tokens_in": request.tokens_in,
            "tokens_out": request.tokens_out,
            "latency_slo_ms": request.latency_slo_ms,
            "priority": request.priority,
            "cost_sensitivity": request.cost_sensitivity,
            "region": request.region,
            "tags": list(request.tags),
        },
        intended_model=request.intended_model,
        selected_provider=selected.provider if selected else "",
        selected_model=selected.model if selected else "",
        selected_region=selected.region if selected else "",
        ranked=[shown(place, one) for place, one in enumerate(ranking.ranked[:FIRST], 1)],
        excluded=[left_out(one) for one in ranking.excluded[: 5 * FIRST]],
        attempts=[attempt.kept() for attempt in call.attempts],
        degraded=ranking.degraded,
        reason=call.reason or ranking.reason,
        outcome=call.outcome,
        policy_version=ranking.policy_version,
        scoring=ranking.scoring,
        failovers=max(0, len(call.attempts) - 1),
        input_tokens=used.tokens_in if used else 0,
        output_tokens=used.tokens_out if used else 0,
        cost=used.cost if used else Decimal(0),
        is_estimated=used.is_estimated if used else False,
        latency_ms=call.selection.took_ms,
    )


def shown(place: int, one: Ranked) -> dict[str, object]:
    """A candidate as snapshots and the API show it."""
    found = one.candidate
    measured = found.measured_at
    return {
        "rank": place,
        "provider": found.provider,
        "model": found.model,
        "region": found.region,
        "score": one.score,
        "est_cost_usd": float(one.est_cost),
        "p95_ms": found.p95_ms,
        "error_rate": found.error_rate,
        "health_updated_at": _spelled(measured) if measured else None,
        "parts": {name: round(part, 6) for name, part in one.parts.items()},
        "penalties": list(one.penalties),
    }


def _spelled(moment: datetime) -> str:
    """A time as the API writes it, since a snapshot is shown as it is kept."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def left_out(one: Excluded) -> dict[str, object]:
    found = one.candidate
    return {
        "provider": found.provider,
        "model": found.model,
        "region": found.region,
        "reason": one.reason,
    }


def forget() -> int:
    """Delete the snapshots and the days of usage that are kept no longer; how many rows.

    What was ever used of a model stays counted. Zero keeps them.
    """
    deleted = 0
    if settings.SNAPSHOT_RETENTION:
        deleted += _delete_snapshots(timezone.now() - settings.SNAPSHOT_RETENTION)
    if settings.USAGE_RETENTION:
        first = (timezone.now() - settings.USAGE_RETENTION).date()
        deleted += _delete_days(first)
    return deleted


def _delete_snapshots(before: datetime) -> int:
    """From the first on, as long as they are old; in batches, each a transaction."""
    deleted = 0
    first = RoutingSnapshot.objects.order_by("pk").values_list("pk", "created_at")
    while ids := [pk for pk, at in first[:BATCH] if at < before]:
        deleted += RoutingSnapshot.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _delete_days(before: date) -> int:
    deleted = 0
    old = UsageCounter.objects.filter(day__lt=before).order_by("day").values_list("pk", flat=True)
    while ids := list(old[:BATCH]):
        deleted += UsageCounter.objects.filter(pk__in=ids).delete()[0]
    return deleted
