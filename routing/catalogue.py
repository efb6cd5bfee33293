"""What is known now of the models that could serve a call, as the ranking takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from routing import addresses, policies
from routing.candidates import Candidate, Policy, RouteRequest
from routing.models import LanguageModel, Parked, ProviderHealth, RoutingPolicy, UsageCounter

FORGIVEN = timedelta(minutes=5)
"""In this time a share of errors counts half. Who is not called could not become better."""
RECENTLY = timedelta(minutes=1)
"""How long a provider counts as rate limited once it may be called again."""
COLD_AFTER = timedelta(minutes=10)

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Known:
    """The candidates of a service, and what the policies say of a call."""

    candidates: list[Candidate]
    policy: Policy


def read(request: RouteRequest, now: datetime) -> Known:
    """Read what the ranking of a call needs, in three or four statements."""
    policy = policies.together(RoutingPolicy.objects.rules(now), request, now)
    spent = UsageCounter.objects.spent(now.date()) if policy.daily_usd is not None else {}
    models = list(LanguageModel.objects.serving(request.service))
    providers = {one.provider_id for one in models}
    rows = ProviderHealth.objects.filter(provider__in=providers) if providers else []
    health = {(one.provider_id, one.region): one for one in rows}
    found = [
        candidate
        for model in models
        for candidate in _candidates(model, health, spent.get(model.provider.name), now)
    ]
    return Known(found, policy)


def _candidates(
    model: LanguageModel,
    health: Mapping[Place, ProviderHealth],
    spent: Decimal | None,
    now: datetime,
) -> Iterator[Candidate]:
    """A model in each region of its provider."""
    provider = model.provider
    places = provider.regions or {model.default_region: provider.base_url}
    headers = addresses.referring(provider.headers, provider.name, needs_key=provider.needs_key)
    for region, url in places.items():
        seen = health.get((provider.pk, region)) or ProviderHealth(parked_because="")
        measured = seen.updated_at is not None
        is_parked = seen.parked_until is not None and now < seen.parked_until
        yield Candidate(
            provider=provider.name,
            model=model.name,
            region=region,
            input_usd_per_1k=model.input_usd_per_1k,
            output_usd_per_1k=model.output_usd_per_1k,
            context_limit=model.context_limit,
            max_tokens=model.max_tokens,
            latency_ms=seen.p50_ms,
            p95_ms=seen.p95_ms,
            error_rate=faded(seen, now) if measured else None,
            measured_at=seen.updated_at,
            parked_until=seen.parked_until if is_parked else None,
            parked_because=seen.parked_because if is_parked else "",
            rate_limited=_was_limited(seen, now) and not is_parked,
            cold=model.cold_start and _is_cold(seen, now),
            spent_today=spent or Decimal(0),
            base_url=url,
            headers=headers,
        )


def faded(seen: ProviderHealth, now: datetime) -> float:
    """Its share of errors, which counts the less the longer ago it was measured."""
    if seen.updated_at is None:
        return seen.error_rate
    age = max(timedelta(), now - seen.updated_at)
    return float(seen.error_rate * 0.5 ** (age / FORGIVEN))


def _was_limited(seen: ProviderHealth, now: datetime) -> bool:
    if seen.parked_until is None or seen.parked_because != Parked.RATE_LIMITED:
        return False
    return now < seen.parked_until + RECENTLY


def _is_cold(seen: ProviderHealth, now: datetime) -> bool:
    return seen.updated_at is None or now - seen.updated_at > COLD_AFTER
