"""A Collab job is a task of no sweep and no command; what seed 003 keeps of it besides."""

import hashlib
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import orjson
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import ApiToken
from agents.models import ID_LENGTH
from api.body import dumps
from collab.journal import DEAD_LETTER_TRIGGERS
from collab.querysets import CollabJobQuerySet, DeadLetterQuerySet
from collab.states import JobStatus, ReasonCode, Stage, status_of
from tasks.models import KEY_LENGTH, Task
from tasks.states import Status

DIGEST = 64  # characters of a SHA-256 in hex


class CollabJob(Task):
    """A task in the words of seed 003. It has no rows of its own, and carries the trigger that
    writes dead letters, of which `tasks` does not know.
    """

    objects = CollabJobQuerySet.as_manager()  # type: ignore[misc]  # the stubs have it once

    lease_over: bool | None  # set by `CollabJobQuerySet.with_lease_over`

    class Meta:
        proxy = True
        triggers = DEAD_LETTER_TRIGGERS

    def __str__(self) -> str:
        return f"job {self.id}"

    @classmethod
    def read(cls, job_id: UUID) -> Self:
        """A job that there is, with what an answer shows of it."""
        rows: Any = cls.objects.shown()  # for the stubs they are tasks
        job: Self = rows.get(pk=job_id)
        return job

    @property
    def executor_id(self) -> str:
        return self.channel.name

    @property
    def job_status(self) -> JobStatus:
        return status_of(self.status, named_epoch=self.named_epoch, lease_epoch=self.lease_epoch)

    @property
    def lease_owner(self) -> str | None:
        """Who holds it now."""
        return self.agent_id if self.status == Status.IN_PROGRESS else None

    @property
    def attempts_begun(self) -> int:
        """Attempts so far with the one that runs, or that succeeded."""
        return self.attempts + (self.status in {Status.IN_PROGRESS, Status.DONE})

    @property
    def next_run_at(self) -> datetime | None:
        return self.available_at if self.postponed else None

    @property
    def started_at(self) -> datetime | None:
        """When the lease began in which it is run, or was."""
        return None if self.job_status == JobStatus.ASSIGNED else self.claimed_at

    @property
    def key(self) -> str | None:
        known = getattr(self, "collab_key", None)
        return known.key if known else self.idempotency_key or None

    @property
    def letter(self) -> "DeadLetter | None":
        """What is kept of it while it is a dead letter."""
        return getattr(self, "collab_letter", None) if self.status == Status.FAILED else None

    @property
    def error(self) -> dict[str, str] | None:
        letter = self.letter
        if letter:
            of_letter = {"reason": letter.reason_code, "stage": letter.stage}
            return {"message": self.fail_reason, **of_letter}
        return {"message": self.fail_reason} if self.fail_reason else None

    @property
    def payload_hash(self) -> str:
        return digest_of(self.payload)

    @property
    def trace_id(self) -> str | None:
        return self.trace or None

    @property
    def correlation_id(self) -> str:
        """Its trace, or itself where it has none."""
        return self.trace_id or str(self.id)

    @property
    def cancel_requested(self) -> bool:
        return self.cancel_asked_at is not None


def digest_of(value: object) -> str:
    """The same for the same JSON, in whatever order its members were sent."""
    return hashlib.sha256(dumps(value, orjson.OPT_SORT_KEYS)).hexdigest()


class Key(models.Model):
    """An idempotency key, of all executors together, and the first job that had it."""

    task = models.OneToOneField(Task, models.CASCADE, primary_key=True, related_name="collab_key")
    key = models.CharField(max_length=KEY_LENGTH)
    digest = models.CharField(
        max_length=DIGEST, help_text="Of what was asked for, to tell another request."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="collab_key_is_unique"),
            models.CheckConstraint(condition=~Q(key=""), name="collab_key_is_given"),
        ]

    def __str__(self) -> str:
        return self.key


class DeadLetter(models.Model):
    """What is kept of a job that failed for good; a trigger writes it.

    The row stays when the job is given another try, and is written anew if that fails too.
    """

    task = models.OneToOneField(Task, models.CASCADE, related_name="collab_letter")
    reason_code = models.CharField(max_length=32, choices=ReasonCode)
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.EXEC)
    attempts = models.IntegerField(default=0)
    last_owner = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    last_lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    retries = models.IntegerField(default=0, help_text="How often it was replayed.")
    retried_at = models.DateTimeField(null=True, blank=True)
    retried_job = models.ForeignKey(
        Task,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The job that the last replay made.",
    )

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["-created_at", "-id"], name="collab_letter_newest")]

    def __str__(self) -> str:
        return f"dead letter {self.pk} of job {self.task_id}"


class FunctionUse(models.Model):
    """How many functions a token has called on the day when it last called one."""

    # Without a constraint, so that a call by a token that is just being removed is none of its own.
    token = models.OneToOneField(
        ApiToken, models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    day = models.DateField(help_text="In UTC.")
    calls = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.calls} calls on {self.day}"
