"""Channels, tasks and what is kept with a task. The life of a task is drawn in tasks/states.py."""

import uuid_utils.compat
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from agents.models import ID_LENGTH, Agent, Protocol
from tasks.constraints import TASK_CONSTRAINTS, TASK_INDEXES
from tasks.journal import CHANNEL_TRIGGERS, INPUT_TRIGGERS, TASK_TRIGGERS
from tasks.querysets import ChannelQuerySet, TaskQuerySet
from tasks.queue import FREE
from tasks.states import DeadLetter, Status
from tasks.tally_models import TallyMark, TaskRollup, TaskTally, TaskTiming, WaitRollup

# Django finds models here
__all__ = ["TallyMark", "TaskRollup", "TaskTally", "TaskTiming", "WaitRollup"]

SESSION_REQUEST = "request_claude_session"
COMMAND = "command"
"""The types of tasks that mean something here: others are the clients' own."""
KEY_LENGTH = 200
TRACE_LENGTH = 200


class ExecutionMode(models.TextChoices):
    """How a coding agent may act on a task (seed 000's clients)."""

    ACCEPT_EDITS = "accept-edits", _("Accept Edits")
    PLAN_MODE = "plan-mode", _("Plan Mode")
    BYPASS_PERMISSION = "bypass-permission", _("Bypass Permission")


class Channel(models.Model):
    """A named queue of tasks; names are unique without regard to case."""

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="channels"
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    paused_at = models.DateTimeField(
        null=True, blank=True, help_text="Since then claims get nothing from it."
    )
    pause_reason = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="channel_name_is_unique"),
            models.CheckConstraint(condition=~Q(name=""), name="channel_name_is_not_empty"),
            models.CheckConstraint(
                condition=Q(pause_reason="") | Q(paused_at__isnull=False),
                name="channel_has_a_pause_reason_only_while_paused",
            ),
        ]
        triggers = CHANNEL_TRIGGERS

    def __str__(self) -> str:
        return self.name


class Requirement(models.Model):
    """Which agents may have a task: the abilities that it wants, and the agents that refused it.

    Tasks with the same needs share one row, so there are few of them however many tasks there
    are: a claim asks once which of them the agent meets, and reads no task that it cannot do.
    Rows are made by `tasks.requirements` and never change.
    """

    wants = models.JSONField(default=dict, help_text="Value by key; see Agent.offers.")
    requires = models.JSONField(
        default=dict, db_default={}, help_text="The same; a key not offered is not met."
    )
    refused_by = ArrayField(models.CharField(max_length=ID_LENGTH), default=list)
    digest = models.CharField(
        max_length=64,
        help_text="Of all that it says, which may be longer than an index can hold.",
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="requirement_is_unique"),
            models.CheckConstraint(condition=~Q(digest=""), name="requirement_has_a_digest"),
        ]

    def __str__(self) -> str:
        return f"requirement {self.pk}"


class Task(models.Model):
    """One unit of work, held by at most one agent at a time."""

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
    )
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="tasks", db_index=False)
    chain = models.ForeignKey(
        "chains.Chain",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
    )
    job = models.ForeignKey(
        "jobs.Job", models.CASCADE, null=True, blank=True, related_name="tasks", db_index=False
    )
    sequence = models.IntegerField(
        default=0, help_text="Place in the chain from 1; 0 for a task without one."
    )
    title = models.TextField()
    description = models.TextField(blank=True, default="")
    type = models.CharField(max_length=64, blank=True, default="")
    assign_only = models.BooleanField(
        default=False, db_default=False, help_text="Only an operator gives it to an agent."
    )
    session_token = models.CharField(max_length=64, blank=True, default="")
    payload = models.JSONField(default=dict, blank=True)
    priority = models.IntegerField(default=0, help_text="Higher runs first.")
    requirement = models.ForeignKey(
        Requirement,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
        help_text="Which agents may have it; empty for all.",
    )
    execution_mode = models.CharField(max_length=32, choices=ExecutionMode, blank=True, default="")
    idempotency_key = models.CharField(max_length=KEY_LENGTH, blank=True, default="")
    trace = models.CharField(
        max_length=TRACE_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="What it belongs to elsewhere: a W3C traceparent, or an id of the client's own.",
    )

    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    blocked = models.BooleanField(default=False, help_text="Not its turn in its chain.")
    reserved_for = models.ForeignKey(
        Agent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reserved_tasks",
        db_index=False,
        help_text="Only this agent may claim it.",
    )
    queue_at = models.DateTimeField(db_default=Now(), help_text="Its position in the queue.")
    available_at = models.DateTimeField(db_default=Now(), help_text="Not claimed before.")
    postponed = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Waits for `available_at`; the coordinator ends that.",
    )
    free = models.GeneratedField(
        expression=FREE,  # type: ignore[arg-type]  # stubs: Q is an expression too
        output_field=models.BooleanField(),
        db_persist=True,
        help_text="A claim may give it to anybody who meets its requirement.",
    )

    # No constraint: what an agent has done outlives it, and what it holds keeps it.
    agent = models.ForeignKey(
        Agent,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
        db_constraint=False,
    )
    last_holder = models.CharField(
        max_length=ID_LENGTH, blank=True, default="", help_text="Who claimed it last."
    )
    lease_epoch = models.BigIntegerField(default=0, help_text="Number of its claims so far.")
    closed_epoch = models.BigIntegerField(
        default=0, help_text="The last epoch whose outcome was accepted."
    )
    lease_seconds = models.IntegerField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0, help_text="Fails and expired leases so far.")
    max_attempts = models.IntegerField(default=3)
    retry_delay_seconds = models.IntegerField(
        default=0,
        db_default=0,
        help_text="Pause before the second attempt; it doubles, up to a minute.",
    )
    losses = models.IntegerField(default=0, help_text="Agents lost in a row.")
    lost_with = ArrayField(
        models.CharField(max_length=ID_LENGTH),
        default=list,
        db_default=[],
        blank=True,
        help_text="Those agents, while there are losses.",
    )
    named_epoch = models.BigIntegerField(
        default=0, db_default=0, help_text="The last lease in which its agent said that it runs it."
    )
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    fail_reason = models.TextField(blank=True, default="")
    dead_letter = models.CharField(
        max_length=16,
        choices=DeadLetter,
        blank=True,
        default="",
        db_default="",
        help_text="Why it failed for good.",
    )

    created_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    objects = TaskQuerySet.as_manager()

    bad_attempts_count: int  # set where dead letters are listed

    class Meta:
        ordering = ["id"]
        indexes = TASK_INDEXES
        constraints = TASK_CONSTRAINTS
        triggers = TASK_TRIGGERS

    def __str__(self) -> str:
        return f"task {self.id}"

    @property
    def protocol(self) -> Protocol:
        """Which agents may have it: SPOTs claim what jobs have, but for commands."""
        return Protocol.SPOT if self.job_id and self.type != COMMAND else Protocol.PLAIN


class AttemptOutcome(models.TextChoices):
    """How an attempt ended that did not end well."""

    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    LOST = "lost", _("Lost")
    DETACHED = "detached", _("Detached")
    REFUSED = "refused", _("Refused")
    RELEASED = "released", _("Released")
    RESET = "reset", _("Reset")
    TIMED_OUT = "timed_out", _("Timed Out")


class Attempt(models.Model):
    """A lease that ended badly: its epoch, its agent and the reason."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="bad_attempts", db_index=False)
    epoch = models.BigIntegerField()
    agent_id = models.CharField(max_length=ID_LENGTH)
    outcome = models.CharField(max_length=16, choices=AttemptOutcome)
    reason = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["task", "epoch"]
        constraints = [
            models.UniqueConstraint(fields=["task", "epoch"], name="attempt_ends_once"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.epoch} of task {self.task_id}"


class TaskSecrets(models.Model):
    """Environment that only the holder of a task gets, sealed (`tasks.secrets`)."""

    task = models.OneToOneField(Task, models.CASCADE, primary_key=True, related_name="kept_secrets")
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return f"secrets of task {self.task_id}"


class ClaimKey(models.Model):
    """A claim that was answered: the same agent asking with the same key gets the same tasks.

    Only those that it still holds by the lease of that claim, whose number is in `epochs`.
    """

    agent_id = models.CharField(max_length=ID_LENGTH)
    key = models.CharField(max_length=KEY_LENGTH)
    task_ids = ArrayField(models.UUIDField())
    epochs = ArrayField(models.BigIntegerField(), default=list, db_default=[])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["created_at"], name="claim_key_age")]
        constraints = [
            models.UniqueConstraint(fields=["agent_id", "key"], name="claim_key_is_used_once"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}:{self.key}"


class InputKind(models.TextChoices):
    """What a person sends to a running task's terminal."""

    TEXT = "text"
    KEYS = "keys"


class TaskInput(models.Model):
    """Text or keys that a person sends to the agent that works on a task; taken once, in order."""

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="inputs")
    agent_id = models.CharField(max_length=ID_LENGTH)
    kind = models.CharField(max_length=16, choices=InputKind, default=InputKind.TEXT)
    text = models.TextField(blank=True, default="")
    send_enter = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=KEY_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["task", "agent_id", "id"],
                condition=Q(claimed_at=None),
                name="task_input_in_order",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="task_input_key_is_unique",
            ),
        ]
        triggers = INPUT_TRIGGERS

    def __str__(self) -> str:
        return f"input {self.id}"
