"""Questions about rules and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from notifications.models import Delivery, Rule  # noqa: F401  (named in strings below)


class RuleQuerySet(models.QuerySet["Rule"]):
    def in_force(self) -> Self:
        """Those that are enabled, with a receiver that is."""
        return self.filter(enabled=True, receiver__enabled=True).select_related("receiver")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> Self:
        return self.filter(status="waiting")

    def dead(self) -> Self:
        return self.filter(status="dead")

    def due(self) -> Self:
        """Those whose next attempt is due, the one that is due longest first."""
        return self.waiting().filter(due_at__lte=Now(), receiver__enabled=True).order_by("due_at")
