"""Providers, models and policies for tests, and what a ranking is made of."""

from datetime import UTC, datetime
from decimal import Decimal

from routing.calls import Patience
from routing.candidates import Candidate
from routing.models import LanguageModel, Provider, RoutingPolicy
from vault import transitions as vault
from vault.transitions import Draft

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUICK = Patience(connect=2, answer=2, total=20, rest=0.001, longest_rest=0.002)
MESSAGES = [{"role": "user", "content": "Is it?"}]
SECRET = "sk-test-do-not-show-1234"


def make_model(provider, name="m", url="https://models.example.org/v1", **fields):
    """A model of a provider, by the provider's name; its key is in the vault unless it has none."""
    needs_key = fields.pop("needs_key", False)
    given = {"base_url": url, "needs_key": needs_key}
    given |= {key: fields.pop(key) for key in ("headers", "regions") if key in fields}
    of, _ = Provider.objects.get_or_create(name=provider, defaults=given)
    prices = {"input_usd_per_1k": Decimal("1"), "output_usd_per_1k": Decimal("2")}
    return LanguageModel.objects.create(
        **{"provider": of, "name": name, "context_limit": 100_000} | prices | fields
    )


def make_key(provider, value=SECRET, **fields):
    return vault.upsert(Draft(value=value, provider=provider, **fields), by="tests")


def make_policy(name="p", action=None, **fields):
    return RoutingPolicy.objects.create(name=name, action=action or {}, **fields)


def candidate(provider="p", model="m", region="", **fields):
    """A candidate whose health is fresh at NOW."""
    usual = {"context_limit": 100_000, "measured_at": NOW, "p95_ms": 500.0, "error_rate": 0.0}
    return Candidate(provider, model, region, **usual | {"latency_ms": 400.0} | fields)
