"""An agent is a process that runs tasks; its id is a string that the client chooses."""

from uuid import UUID

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from agents.querysets import AgentQuerySet, NotificationQuerySet
from events import triggers

ID_LENGTH = 200
INCARNATION_LENGTH = 200


class Activity(models.TextChoices):
    """The agent's own report of its activity; the engine only shows it."""

    IDLE = "idle", _("Idle")
    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waiting")


class Protocol(models.TextChoices):
    """The protocol of an agent, which decides after how much silence it is lost."""

    PLAIN = "", _("agents")
    SPOT = "spot", _("SPOTs")


class Presence(models.TextChoices):
    """An agent's last announced presence; who is online now is derived."""

    ONLINE = "online", _("Online")
    OFFLINE = "offline", _("Offline")
    LOST = "lost", _("Lost")


class Agent(models.Model):
    """A process that runs tasks. Its first heartbeat, claim or assignment creates the row."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="agents"
    )
    name = models.CharField(max_length=200, blank=True, db_default="")
    protocol = models.CharField(
        max_length=16, choices=Protocol, blank=True, db_default=Protocol.PLAIN
    )
    activity = models.CharField(max_length=16, choices=Activity, db_default=Activity.IDLE)
    meta = models.JSONField(default=dict, db_default={}, blank=True)
    subscriptions = ArrayField(
        models.CharField(max_length=200),
        default=list,
        db_default=[],
        blank=True,
        help_text="Names of the channels this agent works for.",
    )
    subscriptions_pinned = models.BooleanField(
        db_default=False,
        help_text="Set by an operator: heartbeats cannot change them until the agent agrees.",
    )
    offers = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="What it can do: for each key the values. A key it does not name is no limit.",
    )
    capacity = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most tasks that it holds at once."
    )
    draining = models.BooleanField(db_default=False, help_text="Finishes its work, gets no more.")
    incarnation = models.CharField(
        max_length=INCARNATION_LENGTH,
        blank=True,
        db_default="",
        help_text="The agent's own name for the process that uses its id now.",
    )
    past_incarnations = ArrayField(
        models.CharField(max_length=INCARNATION_LENGTH),
        default=list,
        db_default=[],
        blank=True,
        help_text="The processes that it has replaced, the latest at the end.",
    )
    doubled_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the journal last named one of these that still lives.",
    )
    last_seen_at = models.DateTimeField(db_default=Now())
    announced = models.CharField(
        max_length=16,
        choices=Presence,
        db_default=Presence.OFFLINE,
        help_text="The presence that the journal names last.",
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = AgentQuerySet.as_manager()

    held: int  # set where SPOTs are listed: the tasks that it holds
    online: bool  # set by `AgentQuerySet.with_online`
    current_task_id: UUID | None  # set where agents are shown: it follows from their tasks

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(id=""), name="agent_id_is_not_empty"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="journal_presence",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__announced__df=pgtrigger.F("new__announced")),
                func=triggers.insert_event(
                    type="CASE NEW.announced WHEN 'online' THEN 'agent.came_online'"
                    " WHEN 'lost' THEN 'agent.was_lost' ELSE 'agent.went_offline' END",
                    agent_id="NEW.id",
                    payload="jsonb_build_object('from', OLD.announced, 'to', NEW.announced)",
                )
                + " RETURN NULL;",
            ),
            pgtrigger.Trigger(
                name="journal_draining",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__draining__df=pgtrigger.F("new__draining")),
                func=triggers.insert_event(
                    type="CASE WHEN NEW.draining THEN 'agent.drained' ELSE 'agent.resumed' END",
                    agent_id="NEW.id",
                    payload="jsonb_build_object('draining', NEW.draining)",
                )
                + " RETURN NULL;",
            ),
            pgtrigger.Trigger(
                name="journal_removed",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                func=triggers.insert_event(
                    type="'agent.removed'",
                    agent_id="OLD.id",
                    payload="jsonb_build_object('name', OLD.name)",
                )
                + " RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return self.id


class Pulse(models.Model):
    """When agents could last be heard, in one row; there is none until a loop has led.

    An agent that was silent while nobody could hear it is not lost (`querysets.unheard`).
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    beat_at = models.DateTimeField(help_text="Then agents could be heard.")
    grace_until = models.DateTimeField(help_text="Before, no silence counts against an agent.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="pulse_is_one_row")]

    def __str__(self) -> str:
        return f"pulse of {self.beat_at}"


class NotificationType(models.TextChoices):
    """The reason for a notification."""

    SETUP_WAITING = "setup_waiting"


class Notification(models.Model):
    """An agent waits for a person. Deleted when a heartbeat says that it no longer waits."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="notifications")
    type = models.CharField(max_length=32, choices=NotificationType)
    channel = models.CharField(max_length=200, blank=True, default="")
    message = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    announced_at = models.DateTimeField(db_default=Now(), help_text="When it was last announced.")
    dismissed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "type"], name="agent_has_one_notification_of_a_type"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}:{self.type}"


class Dismissal(models.Model):
    """Somebody wants to see no more of a finding (`dashboard.attention`) until it grows."""

    key = models.CharField(primary_key=True, max_length=100)
    dismissed_at = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key
