"""An event is one row of the journal, written by a trigger or posted by an agent.

Beside the journal is the operators' audit: what people did in the console.
"""

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events.querysets import COMMON_TYPES, EventQuerySet, OperatorActionQuerySet

ID_LENGTH = 200  # characters of an id that a client chose


class Source(models.TextChoices):
    COORDINATOR = "coordinator", _("Coordinator")
    AGENT = "agent", _("Agent")


class Event(models.Model):
    """Something that happened. It names its objects by plain ids, so it may outlive them.

    The table is partitioned by month of `created_at`, so its key in the database is
    (id, created_at); ids are still unique, since they come from one sequence.
    """

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(db_default=Now())
    source = models.CharField(max_length=16, choices=Source, db_default=Source.COORDINATOR)
    type = models.CharField(max_length=ID_LENGTH)

    # NULL if the event is not about one: the partial indexes contain only other rows.
    agent_id = models.CharField(max_length=ID_LENGTH, null=True)  # noqa: DJ001
    task_id = models.CharField(max_length=ID_LENGTH, null=True)  # noqa: DJ001
    job_id = models.CharField(max_length=ID_LENGTH, null=True)  # noqa: DJ001
    chain_id = models.UUIDField(null=True)
    channel_id = models.UUIDField(null=True)

    payload = models.JSONField(db_default={})
    actor = models.TextField(db_default="")
    reason = models.TextField(db_default="")
    request_id = models.TextField(db_default="")
    idempotency_key = models.CharField(max_length=ID_LENGTH, db_default="")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["agent_id", "id"],
                name="event_of_agent",
                condition=Q(agent_id__isnull=False),
            ),
            models.Index(
                fields=["task_id", "id"], name="event_of_task", condition=Q(task_id__isnull=False)
            ),
            models.Index(
                fields=["job_id", "id"], name="event_of_job", condition=Q(job_id__isnull=False)
            ),
            models.Index(
                fields=["chain_id", "id"],
                name="event_of_chain",
                condition=Q(chain_id__isnull=False),
            ),
            models.Index(fields=["id"], name="event_by_agent", condition=Q(source=Source.AGENT)),
            models.Index(
                fields=["type", "id"],
                name="event_of_rare_type",
                condition=~Q(type__in=COMMON_TYPES),
            ),
            BrinIndex(fields=["created_at"], name="event_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"


class EventKey(models.Model):
    """A key that an agent has used: its event is posted once, however often it is repeated."""

    agent_id = models.CharField(max_length=ID_LENGTH)
    key = models.CharField(max_length=ID_LENGTH)
    event_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "key"], name="event_key_is_used_once_by_an_agent"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="event_key_by_age")]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.key}"


class OperatorAction(models.Model):
    """A verb that a person used on one object, with the reason; also if it was refused.

    It names the object by plain values, so it may outlive it. It is never purged.
    """

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="operator_actions",
        help_text="Empty for a caller without a login.",
    )
    actor = models.TextField()
    verb = models.CharField(max_length=64)
    kind = models.CharField(max_length=64, help_text="What sort of thing: task, chain, agent …")
    object_id = models.CharField(max_length=ID_LENGTH)
    reason = models.TextField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    refused = models.CharField(
        max_length=64, default="", db_default="", help_text="Why it was not done; empty if it was."
    )
    message = models.TextField(default="", db_default="")
    request_id = models.TextField(db_default="")

    objects = OperatorActionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_id", "kind", "id"], name="operator_action_on"),
            models.Index(fields=["actor", "id"], name="operator_action_by"),
            models.Index(fields=["kind", "id"], name="operator_action_on_kind"),
            models.Index(
                fields=["request_id", "id"],
                name="operator_action_of_request",
                condition=~Q(request_id=""),
            ),
            BrinIndex(fields=["created_at"], name="operator_action_by_time", autosummarize=True),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="operator_action_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.verb} {self.kind} {self.object_id}"
