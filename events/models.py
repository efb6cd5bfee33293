"""An event is one line of the journal. Triggers write it, or an agent posts its own."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from events.querysets import EventQuerySet

ID_LENGTH = 200  # characters of an id that somebody else chose


class Source(models.TextChoices):
    COORDINATOR = "coordinator"
    AGENT = "agent"


class Event(models.Model):
    """Something that happened. It names what it is about by plain values, which may outlive it.

    The table is partitioned by month of `created_at`, so its key in the database is
    (id, created_at); ids come from one sequence and are unique all the same.
    """

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(db_default=Now())
    source = models.CharField(max_length=16, choices=Source, db_default=Source.COORDINATOR)
    type = models.CharField(max_length=ID_LENGTH)

    # NULL where an event is not about one: partial indexes serve what is not NULL.
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
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"


class EventKey(models.Model):
    """A key that an agent has used up: the event it names is posted once, whatever is repeated."""

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
