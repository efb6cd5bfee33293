"""Questions about models, policies, health, usage and snapshots."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from routing.policies import Rule

if TYPE_CHECKING:
    from routing.models import (  # noqa: F401  (named in strings below)
        LanguageModel,
        ProviderHealth,
        RoutingPolicy,
        RoutingSnapshot,
        UsageCounter,
    )

SUMS = ("calls", "input_tokens", "output_tokens", "cost")


class ModelQuerySet(models.QuerySet["LanguageModel"]):
    def serving(self, service: str) -> Self:
        """Those that are offered for a service, with their providers."""
        offered = self.filter(service=service, enabled=True, provider__enabled=True)
        return offered.select_related("provider")


class PolicyQuerySet(models.QuerySet["RoutingPolicy"]):
    def rules(self, now: datetime) -> list[Rule]:
        """Those that hold now, the one with the smallest priority first."""
        begun = Q(valid_from=None) | Q(valid_from__lte=now)
        lasting = Q(valid_to=None) | Q(valid_to__gt=now)
        return [
            Rule(
                one.name,
                one.match_conditions,
                one.action,
                one.merge_strategy,
                one.valid_from,
                one.valid_to,
            )
            for one in self.filter(begun, lasting, enabled=True).order_by("priority", "name")
        ]


class HealthQuerySet(models.QuerySet["ProviderHealth"]):
    def measured_since(self, moment: datetime) -> Self:
        """What was measured, or parked, after a moment; the worst first."""
        late = Q(updated_at__gte=moment) | Q(parked_until__gte=moment)
        return self.filter(late).select_related("provider").order_by("-error_rate", "pk")

    def parked(self, provider: str, region: str) -> Self:
        """The health of a provider that nobody is to call now."""
        return self.filter(provider__name=provider, region=region, parked_until__gt=Now())


class UsageQuerySet(models.QuerySet["UsageCounter"]):
    def between(self, first: date, last: date) -> Self:
        """Those of some days, both included."""
        return self.filter(day__range=(first, last))

    def spent(self, day: date) -> dict[str, Decimal]:
        """What was spent on a day, by provider."""
        found = self.filter(day=day).values_list("provider").annotate(spent=Sum("cost"))
        return dict(found.order_by())

    def summed_by(self, *columns: str) -> models.QuerySet:
        """The sums of each value of the columns, the dearest first."""
        sums = {f"sum_{name}": Sum(name) for name in SUMS}
        found: models.QuerySet = self.values(*columns).annotate(**sums)
        return found.order_by("-sum_cost", "-sum_calls", *columns)


class SnapshotQuerySet(models.QuerySet["RoutingSnapshot"]):
    def latest_of(self, service: str) -> Self:
        return self.filter(service=service).order_by(F("id").desc())
