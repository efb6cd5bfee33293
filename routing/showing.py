"""Rankings and snapshots as the API shows them."""

from django.utils import timezone

from routing.candidates import RouteRequest
from routing.client import RouterSelectClient, Selection
from routing.models import RoutingSnapshot
from routing.rank import Ranking
from routing.transitions import left_out, shown

FIRST = 3
MOST = 50
"""Models that an answer names."""

Body = dict[str, object]


def selection(found: Selection) -> Body:
    """A ranking with where to call each model."""
    ranking = found.ranking
    return {
        "request_id": found.request_id,
        "ranked": [
            {
                **shown(place, one),
                "base_url": one.candidate.base_url,
                "headers": dict(one.candidate.headers),
            }
            for place, one in enumerate(ranking.ranked[:MOST], 1)
        ],
        "excluded": excluded(ranking),
        "metadata": {
            "policy_version": ranking.policy_version,
            "policies": list(ranking.policies),
            "scoring": ranking.scoring,
            "reason": ranking.reason,
            "flags": {"degraded": ranking.degraded},
        },
    }


def excluded(ranking: Ranking) -> list[Body]:
    return [left_out(one) for one in ranking.excluded[:MOST]]


def metrics(service: str, limit: int) -> Body:
    """The latest snapshot of a service and its latest calls; where there is none, how a call would
    be ranked now, which is not recorded.
    """
    recent = list(RoutingSnapshot.objects.latest_of(service)[:limit])
    latest = recent[0] if recent else RoutingSnapshot.objects.latest_of(service).first()
    if latest is None:
        ranking = RouterSelectClient().rank(dry(service)).ranking
        found: Body = {
            "scoring": ranking.scoring,
            "policyVersion": ranking.policy_version,
            "ranked": [shown(place, one) for place, one in enumerate(ranking.ranked[:FIRST], 1)],
            "excluded": excluded(ranking),
            "snapshot": None,
        }
    else:
        found = {
            "scoring": latest.scoring,
            "policyVersion": latest.policy_version,
            "ranked": latest.ranked[:FIRST],
            "excluded": latest.excluded,
            "snapshot": {"id": latest.pk, "created_at": latest.created_at},
        }
    calls = [recent_call(one) for one in recent]
    return {"ok": True, "service": service, "ts": timezone.now(), **found, "recent": calls}


def dry(service: str) -> RouteRequest:
    """A call that nobody makes."""
    return RouteRequest(service=service, intent=service)


def recent_call(one: RoutingSnapshot) -> Body:
    """A call in one line."""
    selected = {
        "provider": one.selected_provider,
        "model": one.selected_model,
        "region": one.selected_region,
    }
    of_it: Body = next((row for row in one.ranked if selected.items() <= row.items()), {})
    return {
        "ts": one.created_at,
        "request_id": one.request_id,
        "intent": one.intent,
        "selected": selected if one.selected_provider else None,
        "degraded": one.degraded,
        "reason": one.reason,
        "score": of_it.get("score"),
        "est_cost_usd": of_it.get("est_cost_usd"),
        "outcome": one.outcome,
        "cost_usd": float(one.cost),
        "failovers": one.failovers,
    }
