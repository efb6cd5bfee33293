"""A job is a batch of tasks with one specification: a sweep (seed 004) or a command (seed 001)."""

from collections.abc import Sequence
from datetime import datetime

import uuid_utils.compat
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from api.body import JsonDict
from api.fields import JOB_PREFIX
from artifacts import logs, uploads
from jobs import commands
from jobs.commands import KILLED, CommandStatus
from jobs.corndogs.triggers import OUTSIDE_TRIGGERS
from jobs.journal import JOB_TRIGGERS
from jobs.querysets import CommandQuerySet, JobQuerySet, SubmissionQuerySet
from jobs.tally import TALLY_TRIGGERS
from tasks.models import KEY_LENGTH, Task
from tasks.states import FINISHED


class JobKind(models.TextChoices):
    SWEEP = "sweep", _("Sweep")
    COMMAND = "command", _("Command")


class JobStatus(models.TextChoices):
    """Follows from the counters (`jobs_status` in the database); it is never set directly."""

    PENDING = "PENDING", _("Pending")
    RUNNING = "RUNNING", _("Running")
    COMPLETED = "COMPLETED", _("Completed")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


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
    as_command: "Command"  # set by `progress.with_particulars`, of a command
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
                fields=["kind", "idempotency_key", "user"],
                condition=~Q(idempotency_key=""),
                nulls_distinct=False,
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


class Command(models.Model):
    """What is kept of a command beside its job and its task; its life is that of the task."""

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="command")
    task = models.OneToOneField(
        Task,
        models.SET_NULL,
        null=True,
        related_name="command",
        help_text="None if it was purged as a dead letter.",
    )
    timeout_seconds = models.IntegerField(help_text="Wall time from its claim.")
    exit_code = models.IntegerField(null=True, help_text="As its last attempt reported.")
    commit_sha = models.CharField(max_length=64, blank=True, default="")
    killed = models.BooleanField(default=False, help_text="An administrator ended it at once.")
    parent = models.ForeignKey(
        Job, models.SET_NULL, null=True, related_name="+", help_text="It is a retry of this one."
    )
    retry_count = models.IntegerField(default=0)
    digest = models.CharField(max_length=64, help_text="Of what was asked for, with its secrets.")
    corndogs_task_id = models.UUIDField(null=True, help_text="Its task in a queue outside.")

    objects = CommandQuerySet.as_manager()

    # Set by `CommandQuerySet.shown`.
    status: str
    has_log: bool
    has_artifacts: bool

    class Meta:
        ordering = ["-job"]

    def __str__(self) -> str:
        return str(self.job_id)

    # How it is shown; see `CommandQuerySet.shown`.

    @property
    def priority(self) -> int:
        return self.task.priority if self.task else self.job.priority

    @property
    def updated_at(self) -> datetime:
        return self.task.updated_at if self.task else self.job.updated_at

    @property
    def completed_at(self) -> datetime | None:
        return self.task.finished_at if self.task else self.job.finished_at

    @property
    def worker_id(self) -> str | None:
        return (self.task and self.task.last_holder) or None

    @property
    def final_exit_code(self) -> int | None:
        """None while it may still be tried again, and where no report ended its last lease."""
        if self.task is None:
            return self.exit_code
        reported = self.task.closed_epoch == self.task.lease_epoch
        return self.exit_code if reported and self.task.status in FINISHED else None

    @property
    def last_error(self) -> str | None:
        if self.status == CommandStatus.CANCELLED:
            return KILLED if self.killed else "cancelled"
        return (self.task and self.task.fail_reason) or None

    @property
    def logs_object_key(self) -> str | None:
        return logs.folder_of(self.task.pk) if self.task and self.has_log else None

    @property
    def artifacts_object_key(self) -> str | None:
        return uploads.folder_of(self.task.pk) if self.task and self.has_artifacts else None

    @property
    def shown_environment(self) -> dict[str, str]:
        return commands.shown_environment(self.job.specification)


class SubmissionState(models.TextChoices):
    """What is to be done, or waited for, with a command in the queue outside."""

    WAITING = "waiting"  # to be sent
    SENT = "sent"  # waits there to be taken
    TAKEN = "taken"  # in our queue or running; held there meanwhile
    COMPLETE = "complete"  # to be ended there
    CANCEL = "cancel"  # to be cancelled there


class Submission(models.Model):
    """A command in the queue outside, until it has ended there too (`jobs.corndogs`).

    Triggers on tasks say when it has ended here, or has another priority. It outlives a job that is
    deleted before.
    """

    job = models.OneToOneField(
        Job, models.DO_NOTHING, primary_key=True, related_name="submission", db_constraint=False
    )
    queue = models.CharField(max_length=200)
    state = models.CharField(
        max_length=16, choices=SubmissionState, default=SubmissionState.WAITING
    )
    corndogs_task_id = models.UUIDField(null=True)
    priority = models.IntegerField(default=0, db_default=0, help_text="As it was last said there.")
    due_at = models.DateTimeField(db_default=Now(), help_text="When there is something to do.")
    attempts = models.IntegerField(default=0, help_text="Calls in a row that came to nothing.")
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="submission_due")]

    def __str__(self) -> str:
        return f"{self.job_id} in {self.queue}"


class OutsideQueue(models.Model):
    """The name of a queue outside that commands were sent to, so that bridges ask for it."""

    name = models.CharField(max_length=200, primary_key=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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
    """Carries the triggers on tasks that are of jobs, which `tasks` does not know."""

    class Meta:
        proxy = True
        triggers = [*TALLY_TRIGGERS, *OUTSIDE_TRIGGERS]
