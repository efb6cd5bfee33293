"""What rows say of calls of language models, as metrics."""

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client import Metric

from metrics.counted import counter, gauge
from routing.candidates import Service
from routing.models import FailoverTotal, RoutingSnapshot, UsageCounter, UsageTotal

MOST_MODELS = 1_000
MOST_PAIRS = 200


def collect() -> Iterator[Metric]:
    """Usage and cost by model, since ever; by agent and channel, of today; scores and failovers."""
    used = list(UsageTotal.objects.order_by("pk")[:MOST_MODELS])
    of_model = ["provider", "model"]
    yield counter(
        "cogo_llm_tokens",
        "Tokens of language models.",
        [*of_model, "direction"],
        [
            ((one.provider, one.model, direction), tokens)
            for one in used
            for direction, tokens in (("in", one.input_tokens), ("out", one.output_tokens))
        ],
    )
    yield counter(
        "cogo_llm_cost_usd",
        "What language models cost, in USD.",
        of_model,
        [((one.provider, one.model), float(one.cost)) for one in used],
    )
    yield counter(
        "coordinator_llm_calls",
        "Calls of language models that were answered.",
        of_model,
        [((one.provider, one.model), one.calls) for one in used],
    )
    yield counter(
        "cogo_router_failover",
        "How often a call went on to another candidate, and why.",
        ["reason"],
        [((one.reason,), one.count) for one in FailoverTotal.objects.order_by("pk")],
    )
    yield gauge(
        "cogo_router_rank_score",
        "The scores of the latest ranking of each service.",
        [*of_model, "region"],
        _scores().items(),
    )
    yield from _today()


def _scores() -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    chat, embeddings = (
        RoutingSnapshot.objects.latest_of(service).values("ranked")[:1]
        for service in Service.values
    )
    for latest in chat.union(embeddings, all=True):
        for one in latest["ranked"]:
            found[one["provider"], one["model"], one["region"]] = one["score"]
    return found


def _today() -> Iterator[Metric]:
    """Gauges, since agents come and go; of the dearest pairs of an agent and a channel."""
    rows = UsageCounter.objects.filter(day=timezone.now().date())
    summed = list(rows.summed_by("agent", "channel")[:MOST_PAIRS])
    pairs = ["agent", "channel"]
    yield gauge(
        "coordinator_llm_today_cost_usd",
        "What language models cost today (UTC); of the dearest 200.",
        pairs,
        [((one["agent"], one["channel"]), float(one["sum_cost"])) for one in summed],
    )
    yield gauge(
        "coordinator_llm_today_tokens",
        "Tokens of language models today (UTC), of the same.",
        [*pairs, "direction"],
        [
            ((one["agent"], one["channel"], direction), one[f"sum_{column}"])
            for one in summed
            for direction, column in (("in", "input_tokens"), ("out", "output_tokens"))
        ],
    )
