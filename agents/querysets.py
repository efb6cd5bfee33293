"""Every question asked about agents has a name here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from agents.models import Agent  # noqa: F401  (named in a string below)


class AgentQuerySet(models.QuerySet["Agent"]):
    def online(self) -> Self:
        """Agents heard of within the last 30 seconds, by the database's clock."""
        return self.filter(last_seen_at__gt=Now() - settings.AGENT_ONLINE_WITHIN)

    def lost(self) -> Self:
        """Agents silent for so long that their work is given back."""
        return self.filter(last_seen_at__lte=Now() - settings.AGENT_LOST_AFTER)

    def with_online(self) -> Self:
        """Annotate each agent with `online`, derived when it is read."""
        return self.annotate(
            online=models.Case(
                models.When(
                    last_seen_at__gt=Now() - settings.AGENT_ONLINE_WITHIN, then=models.Value(True)
                ),
                default=models.Value(False),
            )
        )
