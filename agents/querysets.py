"""Named queries for agents."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Lower, Now

if TYPE_CHECKING:
    from agents.models import Agent, Notification  # noqa: F401  (named in strings below)


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


class AgentState(models.TextChoices):
    """What can be said of an agent in one word: the first of these that is true."""

    LOST = "lost"
    DRAINING = "draining"
    ONLINE = "online"
    SILENT = "silent"


class AgentQuerySet(models.QuerySet["Agent"]):
    def online(self) -> Self:
        """Agents seen lately (30 s; a SPOT 10 s), by the database's clock."""
        return self.filter(last_seen_at__gt=online_since())

    def lost(self) -> Self:
        """Agents silent for so long that their tasks are taken back; none while `unheard`."""
        return self.filter(~unheard(), last_seen_at__lte=lost_since())

    def silent_for(self, time: timedelta) -> Self:
        """Agents that nobody has heard of for so long."""
        return self.filter(last_seen_at__lt=Now() - time)

    def working_for(self, channel: str) -> Self:
        """Agents subscribed to the channel, and those that have no subscriptions."""
        return self.subscribed_to(channel) | self.filter(subscriptions=[])

    def subscribed_to(self, channel: str) -> Self:
        """Agents subscribed to the channel, by its name without regard to case."""
        lowered = Cast(
            Lower(Cast("subscriptions", models.TextField())), ArrayField(models.TextField())
        )
        return self.alias(lowered=lowered).filter(lowered__contains=[Lower(models.Value(channel))])

    def count_by_state(self) -> dict[str, int]:
        """How many agents are in each state that any is in."""
        state = models.Case(
            models.When(
                ~unheard() & models.Q(last_seen_at__lte=lost_since()), then=Value(AgentState.LOST)
            ),
            models.When(draining=True, then=Value(AgentState.DRAINING)),
            models.When(last_seen_at__gt=online_since(), then=Value(AgentState.ONLINE)),
            default=Value(AgentState.SILENT),
        )
        counted = self.order_by().values(state=state).annotate(count=models.Count("pk"))
        return dict(counted.values_list("state", "count"))

    def online_capacity(self) -> int:
        """How many tasks those that are online take at once, one where they do not say."""
        return self.online().filter(draining=False).total_capacity()

    def total_capacity(self) -> int:
        """How many tasks these take at once; one each where they do not say."""
        found = self.aggregate(total=models.Sum(Coalesce("capacity", 1)))
        return int(found["total"] or 0)

    def active_within(self, time: timedelta) -> Self:
        """Agents heard of that lately."""
        return self.filter(last_seen_at__gt=Now() - time)

    def with_online(self) -> Self:
        """Annotate each agent with `online`, as of now."""
        return self.annotate(
            online=models.Case(
                models.When(last_seen_at__gt=online_since(), then=models.Value(True)),
                default=models.Value(False),
            )
        )


class NotificationQuerySet(models.QuerySet["Notification"]):
    def shown(self) -> Self:
        """Those that nobody has dismissed, with what they show of their agents and no more."""
        shown = ("type", "channel", "message", "created_at", "agent__name", "agent__user")
        return self.filter(dismissed_at=None).select_related("agent").only(*shown)
