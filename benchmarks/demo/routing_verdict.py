"""What had to come of `script/demo routing`, recounted from all that tells of it."""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import orjson

from benchmarks.demo.routing_world import (
    AFTER,
    AT_ONCE,
    BATCH,
    BEFORE,
    KEY,
    MOST_FAILED,
    PRICES,
    SNAPSHOTS,
    TOKENS,
    Call,
    Routing,
)
from benchmarks.demo.wire import Body, inner, rows, text


def shares(
    routing: Routing, batch: Sequence[Call], before: Sequence[Call], after: Sequence[Call]
) -> dict[str, bool]:
    every = [*batch, *before, *after]
    asked = {name: one.count for name, one in routing.providers.items()}
    return {
        "All 200 calls were answered": len(every) == BATCH + BEFORE + AFTER == 200,
        "What the policy denies was never called for batches": {one.provider for one in batch}
        == {"slow"},
        "A healthy intended model served its calls": {one.provider for one in before} == {"dear"}
        and not any(one.degraded for one in before),
        "With an expired key the slow one stood in, and it was said": {
            one.provider for one in after
        }
        == {"slow"}
        and sum(one.degraded for one in after) >= AFTER - AT_ONCE,
        "Nobody was asked with the expired key": asked["dear"] == BEFORE,
        f"The failing one was given up (asked {asked['failing']} times)": 1
        <= asked["failing"]
        <= MOST_FAILED,
        "Each call was answered once": asked["slow"] + asked["dear"] == 200,
        "The keys were those of the vault": all(
            one.headers["authorization"] == f"Bearer {KEY.format(name)}"
            for name, provider in routing.providers.items()
            for one in provider.asked
        ),
    }


def cost_of(provider: str) -> Decimal:
    """What a call costs there."""
    return sum(
        (count * price / 1000 for count, price in zip(TOKENS, PRICES[provider], strict=True)),
        Decimal(0),
    )


def costs(routing: Routing, every: Sequence[Call]) -> dict[str, bool]:
    of = Counter(one.provider for one in every)
    costs = {name: count * cost_of(name) for name, count in of.items()}
    total = float(sum(costs.values()))
    totals = inner(routing.wire.get("/api/metrics/summary"), "totals")
    usage = rows(routing.wire.get("/console/usage", by="provider"), "rows")
    scraped = routing.metrics()
    counted = _sums(scraped, "cogo_llm_cost_usd_total")
    failovers = sum(one.failovers for one in every)
    return {
        "Each call cost what its tokens cost": all(
            one.cost == cost_of(one.provider) for one in every
        ),
        "/metrics has the same costs": _same(counted, costs),
        "The page of usage has them": _same(
            {text(row, "name"): usd(row, "cost_usd") for row in usage}, costs
        ),
        "The summary has them and the tokens": abs(usd(totals, "costUsd") - total) < 1e-6
        and (totals["tokensIn"], totals["tokensOut"]) == (200 * TOKENS[0], 200 * TOKENS[1]),
        f"/metrics counts the {failovers} failovers": failovers > 0
        and sum(_sums(scraped, "cogo_router_failover_total", "reason").values()) == failovers,
    }


def said(kept: list[object]) -> tuple[object, ...]:
    """What a snapshot says of a call."""
    provider, failovers, cost, degraded = kept[3:7]
    return provider, failovers, Decimal(str(cost)), degraded


def _sums(scraped: str, name: str, label: str = "provider") -> dict[str, float]:
    """The values of a metric by one of its labels."""
    found: Counter[str] = Counter()
    for labels, value in re.findall(rf"^{name}{{(.*)}} (\S+)$", scraped, re.MULTILINE):
        found[dict(re.findall(r'(\w+)="([^"]*)"', labels))[label]] += float(value)  # type: ignore[assignment]
    return dict(found)


def usd(row: Body, name: str) -> float:
    found = row[name]
    return float(found) if isinstance(found, int | float) else -1.0


def _same(found: dict[str, float], costs: dict[str, Decimal]) -> bool:
    near = [abs(found.get(name, 0) - float(cost)) < 1e-6 for name, cost in costs.items()]
    return found.keys() == costs.keys() and all(near)


def snapshots(routing: Routing, every: Sequence[Call]) -> dict[str, bool]:
    kept = [orjson.loads(line) for line in routing.shell(SNAPSHOTS)]
    by_id = {one[0]: one for one in kept}
    agree = [
        (one.provider, one.failovers, one.cost, one.degraded) == said(by_id[one.request_id])
        for one in every
        if one.request_id in by_id
    ]
    results = Counter(tuple(attempt) for one in kept for attempt in one[8])
    whole = " ".join(one[9] for one in kept)
    return {
        "Every call has one snapshot that says the same": len(kept) == len(by_id) == 200
        and len(agree) == 200
        and all(agree),
        "They name each attempt": results["failing", "server_error"]
        == routing.providers["failing"].count
        and results["dear", "no_key"] >= 1,
        "No key and no word of a question is in them": "sk-demo" not in whole
        and "Is it?" not in whole,
    }


def shown_right(routing: Routing) -> dict[str, bool]:
    shown = routing.wire.get("/api/metrics/routing", service="chat", limit=5)
    again = routing.wire.get("/api/metrics/routing", service="chat", limit=5)
    health = rows(routing.wire.get("/api/metrics/health"), "providers")
    parked = {text(one, "provider"): text(one, "parked_because") for one in health}
    latest: Body = rows(shown, "recent")[0]
    return {
        "/api/metrics/routing shows the latest calls, and records none": shown["snapshot"]
        == again["snapshot"]
        and (latest["reason"], len(rows(shown, "recent"))) == ("degraded_from_intended", 5),
        "Health says whose key is missing": parked["dear"] == "no_key",
    }
