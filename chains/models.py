"""A chain is tasks of one channel in order, owned by at most one agent."""

import uuid_utils.compat
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from chains.journal import CHAIN_TRIGGERS
from chains.querysets import ChainQuerySet
from tasks.models import Channel


class ChainStatus(models.TextChoices):
    """Follows from the chain's tasks and owner; never set by hand."""

    QUEUED = "queued", _("Queued")
    IN_PROGRESS = "in_progress", _("In Progress")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    LOCKED = "locked", _("Locked")


class OnFailure(models.TextChoices):
    """Whether the tasks behind a failed one go on."""

    CONTINUE = "continue", _("Continue")
    STOP = "stop", _("Stop")


class Chain(models.Model):
    """Tasks in order. `chains.settle` derives its status, and the turn and marks of its tasks."""

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="chains"
    )
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="chains", db_index=False)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=16, choices=ChainStatus, default=ChainStatus.QUEUED)
    on_failure = models.CharField(max_length=16, choices=OnFailure, default=OnFailure.CONTINUE)
    owner = models.ForeignKey(
        Agent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="owned_chains",
        db_index=False,
        help_text="The one agent that may claim its tasks.",
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = ChainQuerySet.as_manager()

    # Only on rows of `ChainQuerySet.with_progress`.
    all_tasks: int
    finished_tasks: int

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["channel", "id"], name="chain_channel"),
            models.Index(fields=["status", "id"], name="chain_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(owner__isnull=False),
                name="chain_owner_owns_one_chain",
            ),
        ]
        triggers = CHAIN_TRIGGERS

    def __str__(self) -> str:
        return self.name
