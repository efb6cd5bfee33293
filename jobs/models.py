"""A job is a batch of tasks with one specification: a sweep (seed 004) or a command (seed 001)."""

from collections.abc import Sequence
from datetime import datetime

import uuid_utils.compat
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from api.body import JsonDict
from api.fields import JOB_PREFIX
from jobs.journal import JOB_TRIGGERS
from jobs.querysets import JobQuerySet
from jobs.tally import TALLY_TRIGGERS
from tasks.models import KEY_LENGTH, Task


class JobKind(models.TextChoices):
    SWEEP = "sweep"
    COMMAND = "command"


class JobStatus(models.TextChoices):
    """Follows from the counters (`jobs_status` in the database); it is never set directly."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Job(models.Model):
    """Tasks with one specification. Its counters are up to a second old; see `counted`."""

    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    kind = models.CharField(max_length=16, choices=JobKind)
    name = models.CharField(max_length=200, blank=True, default="")
    specification = models.JSONField(default=dict)
    priority = models.IntegerField(default=0, help_text="Of its tasks; higher runs first.")
    idempotency_key = models.CharField(max_length=KEY_LENGTH, blank=True, default="")

    total = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.PENDING)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    objects = JobQuerySet.as_manager()

    program: JsonDict  # set by `JobQuerySet.with_program`
    # Set by `JobQuerySet.counted`.
    counted_total: int
    counted_completed: int
    counted_failed: int
    counted_cancelled: int
    counted_status: str
    counted_started_at: datetime | None
    counted_finished_at: datetime | None
    running: int  # set by `progress.with_running`
    # Set by `progress.with_details`.
    seconds_left: float | None
    unserved: Sequence[object]

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(status__in=[JobStatus.PENDING, JobStatus.RUNNING]),
                name="job_open",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="job_key_is_unique",
            ),
        ]
        triggers = JOB_TRIGGERS

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id for clients: a sweep's is `job-` and hex digits, a command's the UUID."""
        return f"{JOB_PREFIX}{self.id.hex}" if self.kind == JobKind.SWEEP else str(self.id)


class Tally(models.Model):
    """What one statement did to the tasks of one job, until it is folded into the job."""

    job = models.ForeignKey(
        Job, models.CASCADE, related_name="tallies", db_constraint=False, db_index=True
    )
    total = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    started = models.BooleanField(default=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"tally {self.pk} of job {self.job_id}"


class CountedTask(Task):
    """Carries the triggers on tasks that write tallies, since `tasks` does not know jobs."""

    class Meta:
        proxy = True
        triggers = TALLY_TRIGGERS
