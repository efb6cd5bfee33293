"""Which model a call goes to: a pure function of what is known. It reads no database and no clock.

The curves are those of contract 003, 5.3; `docs/routing.md` has them with an example.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from routing.candidates import Candidate, Policy, RouteRequest, Scoring

WEIGHTS: Mapping[str, float] = {
    "policy": 0.35,
    "cost": 0.20,
    "latency": 0.20,
    "health": 0.20,
    "region": 0.05,
}
PENALTIES: Mapping[str, float] = {
    "budget_exceeded": 0.3,
    "rate_limited": 0.2,
    "cold_start": 0.1,
}
NEAR_LIMIT = 0.8
NEAR_LIMIT_PENALTY = 0.4
NO_PREFERENCE = 0.5
UNKNOWN_LATENCY_MS, UNKNOWN_ERROR_RATE = 200.0, 0.01
"""Of what has never been called, so that it gets a call."""
TOO_MANY_ERRORS = 0.5
"""The share of errors above which an intended model is not healthy, where no policy says."""
SLOW_FOR = timedelta(minutes=10)
"""How long a measured latency excludes; who is never called could not become faster."""
LATENCY_FADES = timedelta(hours=1)
"""After that time it counts half as long with each of these."""
HEALTH_TTL = timedelta(days=1)
MOST_CONTEXT = 400_000
DEGRADED, NO_CANDIDATE = "degraded_from_intended", "no_candidate"


class Why(StrEnum):
    """Why a candidate is excluded."""

    DENIED = "denied"
    NOT_ALLOWED = "not_allowed"
    NOT_PINNED = "not_pinned"
    CONTEXT = "context_too_small"
    PARKED = "parked"
    TOO_SLOW = "too_slow"
    FAILING = "failing"
    BUDGET = "budget_exceeded"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score. By v2 higher is better, by v1 lower."""

    candidate: Candidate
    score: float
    est_cost: Decimal
    parts: Mapping[str, float] = field(default_factory=dict)
    penalties: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that may not be called, and why."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates in the order in which to try them, and those that may not be tried."""

    ranked: Sequence[Ranked]
    excluded: Sequence[Excluded]
    degraded: bool
    reason: str
    policy_version: str
    scoring: Scoring
    policies: Sequence[str] = ()

    @property
    def first(self) -> Ranked | None:
        return self.ranked[0] if self.ranked else None


def rank(
    request: RouteRequest,
    candidates: Iterable[Candidate],
    policy: Policy,
    now: datetime,
    *,
    scoring: Scoring = Scoring.V2,
    health_ttl: timedelta = HEALTH_TTL,
) -> Ranking:
    """Put the candidates in order; the same for the same values, in whatever order they come.

    A healthy intended model is first. Where it is not healthy, or not to be had, another model of
    its provider stands in for it, else the cheapest healthy one, and the ranking is `degraded`.
    """
    pinned = policy.hard_pins.get(request.intent, "")
    intended = pinned or request.intended_model
    kept: list[Candidate] = []
    excluded: list[Excluded] = []
    for one in sorted(candidates, key=lambda one: (one.provider, one.model, one.region)):
        reason = _refusal(one, request, policy, pinned) or (
            "" if one.is_called(intended) else _limit(one, policy, now)
        )
        if reason:
            excluded.append(Excluded(one, reason))
        else:
            kept.append(one)
    scored = (
        _by_v1(request, kept)
        if scoring == Scoring.V1
        else _by_v2(request, kept, policy, now, health_ttl)
    )
    known = [*kept, *(one.candidate for one in excluded)]
    first = _first(intended, known, scored, policy, now)
    ranked = [first, *(one for one in scored if one is not first)] if first else scored
    degraded = bool(intended and not pinned and first and not first.candidate.is_called(intended))
    reason = DEGRADED if degraded else "" if ranked else NO_CANDIDATE
    return Ranking(ranked, excluded, degraded, reason, policy.version, scoring, policy.names)


def _refusal(one: Candidate, request: RouteRequest, policy: Policy, pinned: str) -> str:
    """Why it may not be called, also where it is the one intended."""
    if one.is_among(policy.deny):
        return Why.DENIED
    if policy.allow is not None and not one.is_among(policy.allow):
        return Why.NOT_ALLOWED
    if pinned and not one.is_called(pinned):
        return Why.NOT_PINNED
    too_long = one.max_tokens is not None and request.tokens_out > one.max_tokens
    if too_long or one.context_limit < request.tokens:
        return Why.CONTEXT
    if one.parked_because:
        return f"{Why.PARKED}: {one.parked_because}"
    if policy.budget_is_hard and _exceeds(one, request, policy):
        return Why.BUDGET
    return ""


def _limit(one: Candidate, policy: Policy, now: datetime) -> str:
    """Which limit of the policy it is over."""
    if policy.max_error_rate is not None and _error_rate(one) > policy.max_error_rate:
        return Why.FAILING
    fresh = one.measured_at is None or now - one.measured_at <= SLOW_FOR
    if policy.max_latency_ms is not None and _p95(one) > policy.max_latency_ms and fresh:
        return Why.TOO_SLOW
    return ""


def _exceeds(one: Candidate, request: RouteRequest, policy: Policy) -> bool:
    cost = one.cost(request.tokens_in, request.tokens_out)
    too_dear = policy.max_usd_per_call is not None and cost > policy.max_usd_per_call
    spent = policy.daily_usd is not None and one.spent_today + cost > policy.daily_usd
    return too_dear or spent


def _first(
    intended: str,
    known: Sequence[Candidate],
    scored: Sequence[Ranked],
    policy: Policy,
    now: datetime,
) -> Ranked | None:
    """The one to try first, where that is not the one with the best score."""
    if not intended:
        return None
    healthy = [one for one in scored if _is_healthy(one.candidate, policy, now)]
    for one in healthy:
        if one.candidate.is_called(intended):
            return one
    providers = {one.provider for one in known if one.is_called(intended)}
    for one in healthy:
        if one.candidate.provider in providers:
            return one
    return min(healthy, key=_cheapest, default=scored[0] if scored else None)


def _is_healthy(one: Candidate, policy: Policy, now: datetime) -> bool:
    most = TOO_MANY_ERRORS if policy.max_error_rate is None else policy.max_error_rate
    return _error_rate(one) <= most and not _limit(one, policy, now)


def _by_v2(
    request: RouteRequest,
    kept: Sequence[Candidate],
    policy: Policy,
    now: datetime,
    ttl: timedelta,
) -> list[Ranked]:
    costs = [one.cost(request.tokens_in, request.tokens_out) for one in kept]
    least, most = min(costs, default=Decimal(0)), max(costs, default=Decimal(0))
    ranked = []
    for one, cost in zip(kept, costs, strict=True):
        parts = {
            "policy": max(0.0, 1 - _near_limit(one, policy, now)),
            "cost": float((most - cost) / (most - least)) if most > least else 1.0,
            "latency": min(1.0, request.latency_slo_ms / max(_faded(one, now), 1.0)),
            "health": (1 - min(1.0, _error_rate(one))) * _trust(one, now, ttl),
            "region": _preference(one, request, policy),
        }
        penalties = [
            name
            for name, holds in (
                ("budget_exceeded", _exceeds(one, request, policy)),
                ("rate_limited", one.rate_limited),
                ("cold_start", one.cold),
            )
            if holds
        ]
        score = sum(WEIGHTS[name] * part for name, part in parts.items())
        score -= sum(PENALTIES[name] for name in penalties)
        ranked.append(Ranked(one, round(min(1.0, max(0.0, score)), 6), cost, parts, penalties))
    return sorted(ranked, key=lambda one: (-one.score, *_cheapest(one)))


def _by_v1(request: RouteRequest, kept: Sequence[Candidate]) -> list[Ranked]:
    """The older formula: low latency, few errors, a long context."""
    ranked = []
    for one in kept:
        latency = UNKNOWN_LATENCY_MS if one.latency_ms is None else one.latency_ms
        score = latency * (1 + _error_rate(one)) - min(one.context_limit, MOST_CONTEXT) / 1000
        cost = one.cost(request.tokens_in, request.tokens_out)
        ranked.append(Ranked(one, round(score, 6), cost))
    return sorted(ranked, key=lambda one: (one.score, *_cheapest(one)))


def _cheapest(one: Ranked) -> tuple[Decimal, float, str, str, str]:
    found = one.candidate
    return one.est_cost, _p95(found), found.provider, found.model, found.region


def _near_limit(one: Candidate, policy: Policy, now: datetime) -> float:
    near = (
        policy.max_latency_ms is not None and _faded(one, now) > NEAR_LIMIT * policy.max_latency_ms
    ) or (
        policy.max_error_rate is not None and _error_rate(one) > NEAR_LIMIT * policy.max_error_rate
    )
    return NEAR_LIMIT_PENALTY if near else 0.0


def _trust(one: Candidate, now: datetime, ttl: timedelta) -> float:
    """How much its health still says: half as much with each `ttl` that it is older than that."""
    if one.measured_at is None:
        return 1.0
    beyond = max(timedelta(), now - one.measured_at - ttl)
    return float(0.5 ** (beyond / ttl))


def _preference(one: Candidate, request: RouteRequest, policy: Policy) -> float:
    if one.region in policy.region_prefs:
        return min(1.0, max(0.0, policy.region_prefs[one.region]))
    return 1.0 if request.region and request.region == one.region else NO_PREFERENCE


def _p95(one: Candidate) -> float:
    return UNKNOWN_LATENCY_MS if one.p95_ms is None else one.p95_ms


def _faded(one: Candidate, now: datetime) -> float:
    """Its latency, which counts less once it was measured a while ago."""
    beyond = timedelta()
    if one.measured_at is not None:
        beyond = max(beyond, now - one.measured_at - SLOW_FOR)
    return float(_p95(one) * 0.5 ** (beyond / LATENCY_FADES))


def _error_rate(one: Candidate) -> float:
    return UNKNOWN_ERROR_RATE if one.error_rate is None else one.error_rate
