"""Named queries for agents."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Lower, Now

if TYPE_CHECKING:
    from agents.models import Agent  # noqa: F401  (named in a string below)


def online_since() -> Combinable:
    """An agent last seen after this moment is online (a SPOT is UP: seed 004)."""
    return _since(settings.AGENT_ONLINE_WITHIN, settings.SPOT_LOST_AFTER)


def lost_since() -> Combinable:
    """An agent not seen after this moment is lost."""
    return _since(settings.AGENT_LOST_AFTER, settings.SPOT_LOST_AFTER)


PULSE_WITHIN = timedelta(seconds=4)
"""So long may agents go unheard before their silence is ours; well below that of a lost SPOT."""


def unheard() -> models.Exists:
    """Whether agents could not be heard lately, so that silence does not count against them.

    A coordinator that does not run, or a database that stood still, is noticed by the pulse that
    is missing; when it is back, agents have a grace.
    """
    pulse = apps.get_model("agents", "Pulse").objects.filter(
        models.Q(beat_at__lt=Now() - PULSE_WITHIN) | models.Q(grace_until__gt=Now())
    )
    return models.Exists(pulse)


def _since(plain: timedelta, spot: timedelta) -> Combinable:
    return models.Case(
        models.When(protocol="spot", then=Now() - spot),
        default=Now() - plain,
        output_field=models.DateTimeField(),
    )


class AgentQuerySet(models.QuerySet["Agent"]):
    def online(self) -> Self:
        """Agents seen lately (30 s; a SPOT 10 s), by the database's clock."""
        return self.filter(last_seen_at__gt=online_since())

    def lost(self) -> Self:
        """Agents silent for so long that their tasks are taken back; none while `unheard`."""
        return self.filter(~unheard(), last_seen_at__lte=lost_since())

    def working_for(self, channel: str) -> Self:
        """Agents subscribed to the channel, and those that have no subscriptions."""
        lowered = Cast(
            Lower(Cast("subscriptions", models.TextField())), ArrayField(models.TextField())
        )
        return self.alias(lowered=lowered).filter(
            models.Q(lowered__contains=[channel.lower()]) | models.Q(subscriptions=[])
        )

    def with_online(self) -> Self:
        """Annotate each agent with `online`, as of now."""
        return self.annotate(
            online=models.Case(
                models.When(last_seen_at__gt=online_since(), then=models.Value(True)),
                default=models.Value(False),
            )
        )
