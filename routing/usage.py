"""How much was used: sums for a time, and day by day for a page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils import timezone

from routing.models import ProviderHealth, RoutingSnapshot, UsageCounter

DAY = timedelta(days=1)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "provider": ("provider",),
    "model": ("provider", "model"),
    "agent": ("agent",),
    "channel": ("channel",),
}
"""By what usage is summed."""
MOST_ROWS = 100
MOST_PROVIDERS = 500


def totals(start: datetime, end: datetime) -> dict[str, float]:
    """Tokens and cost of a time: whole days from the counters, the rest from snapshots."""
    first = start.astimezone(UTC).date() + (DAY if _is_within_day(start) else timedelta())
    last = end.astimezone(UTC).date() - DAY
    if last < first:
        found = _of_calls(start, end)
    else:
        found = _sum(
            _of_calls(start, _begin(first)),
            _of_calls(_begin(last + DAY), end),
            _of_days(first, last),
        )
    tokens_in, tokens_out, cost = found
    return {"tokensIn": int(tokens_in), "tokensOut": int(tokens_out), "costUsd": float(cost)}


Amounts = tuple[int, int, Decimal]
NOTHING: Amounts = (0, 0, Decimal(0))


def _of_calls(start: datetime, end: datetime) -> Amounts:
    if start >= end:
        return NOTHING
    rows = RoutingSnapshot.objects.filter(created_at__gte=start, created_at__lt=end)
    return _amounts(rows)


def _of_days(first: date, last: date) -> Amounts:
    return _amounts(UsageCounter.objects.between(first, last))


def _amounts(rows: QuerySet) -> Amounts:
    found = rows.aggregate(i=Sum("input_tokens"), o=Sum("output_tokens"), c=Sum("cost"))
    return int(found["i"] or 0), int(found["o"] or 0), Decimal(found["c"] or 0)


def _sum(*parts: Amounts) -> Amounts:
    tokens_in, tokens_out, cost = zip(*parts, strict=True)
    return sum(tokens_in), sum(tokens_out), sum(cost, Decimal(0))


def _is_within_day(moment: datetime) -> bool:
    return moment != _begin(moment.astimezone(UTC).date())


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def by_day(group: str, days: int) -> dict[str, object]:
    """What was used on each of the last days, and by whom or of what, the dearest first."""
    last = timezone.now().astimezone(UTC).date()
    first = last - (days - 1) * DAY
    rows = UsageCounter.objects.between(first, last)
    columns = GROUPS[group]
    summed = list(rows.summed_by(*columns)[: MOST_ROWS + 1])
    per_day = {one["day"]: one for one in rows.summed_by("day")}
    each_day = [first + place * DAY for place in range(days)]
    return {
        "by": group,
        "days": [{"day": day, **_shown(per_day.get(day, {}))} for day in each_day],
        "rows": [
            {"name": "/".join(one[name] for name in columns), **_shown(one)}
            for one in summed[:MOST_ROWS]
        ],
        "more": len(summed) > MOST_ROWS,
    }


def _shown(found: Mapping[str, int | Decimal]) -> dict[str, int | float]:
    return {
        "calls": int(found.get("sum_calls", 0)),
        "tokens_in": int(found.get("sum_input_tokens", 0)),
        "tokens_out": int(found.get("sum_output_tokens", 0)),
        "cost_usd": float(found.get("sum_cost", 0)),
    }


def health_since(since: datetime) -> Sequence[Mapping[str, object]]:
    """How the providers were that were called after a moment, the worst first."""
    return [
        {
            "provider": one.provider.name,
            "region": one.region,
            "latency_ms": one.latency_ms,
            "p50_ms": one.p50_ms,
            "p95_ms": one.p95_ms,
            "error_rate": one.error_rate,
            "success_rate": one.success_rate,
            "parked_until": one.parked_until,
            "parked_because": one.parked_because,
            "last_error": one.last_error,
            "updated_at": one.updated_at,
        }
        for one in ProviderHealth.objects.measured_since(since)[:MOST_PROVIDERS]
    ]
