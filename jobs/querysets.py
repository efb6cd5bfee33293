"""Named queries for jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, Exists, F, Func, Max, Min, OuterRef, Q, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce, JSONObject, Now

from artifacts.models import Artifact, LogBatch
from jobs.commands import CommandStatus
from tasks.states import DeadLetter, Status

if TYPE_CHECKING:
    from jobs.models import Command, Job, Submission  # noqa: F401  (named in strings below)


PROGRAM = ("jarPath", "artifactBucket", "artifactKey", "artifactEndpoint", "mainClass")


class JobQuerySet(models.QuerySet["Job"]):
    def counted(self) -> Self:
        """Annotate `counted_*`: exact counters, status and times.

        They are the job's own plus those of the tallies that have not been folded.
        """
        return (
            self.annotate(
                counted_total=_with_tallies("total"),
                counted_completed=_with_tallies("completed"),
                counted_failed=_with_tallies("failed"),
                counted_cancelled=_with_tallies("cancelled"),
                counted_started_at=Coalesce(
                    "started_at", Min("tallies__at", filter=Q(tallies__started=True))
                ),
            )
            .annotate(
                counted_status=Func(
                    "counted_total",
                    "counted_completed",
                    "counted_failed",
                    "counted_cancelled",
                    models.ExpressionWrapper(
                        Q(counted_started_at__isnull=False), output_field=models.BooleanField()
                    ),
                    models.ExpressionWrapper(
                        Q(cancel_asked_at__isnull=False), output_field=models.BooleanField()
                    ),
                    function="jobs_status",
                    output_field=models.CharField(),
                ),
            )
            .annotate(
                counted_finished_at=Case(
                    When(
                        ~Q(counted_status__in=["PENDING", "RUNNING"]),
                        then=Coalesce(Max("tallies__at"), "finished_at"),
                    )
                ),
            )
        )

    def with_program(self) -> Self:
        """Annotate `program`: what a job runs, without the rest of what was asked for it."""
        named = {name: KeyTransform(name, "specification") for name in PROGRAM}
        return self.defer("specification").annotate(program=JSONObject(**named))

    def open(self) -> Self:
        """Jobs that have not ended, by the stored status, which is indexed."""
        return self.filter(status__in=["PENDING", "RUNNING"])

    def lock(self) -> Self:
        """Lock the rows in the order of their ids until the transaction ends."""
        return self.order_by("id").select_for_update(no_key=True)


class CommandQuerySet(models.QuerySet["Command"]):
    def shown(self) -> Self:
        """Annotate `status` and whether there are files, and read job and task with them."""
        rows = self.select_related("job", "task").annotate(
            status=command_status(),
            has_log=Exists(LogBatch.objects.filter(task=OuterRef("task"))),
            has_artifacts=Exists(Artifact.objects.filter(task=OuterRef("task"))),
        )
        return rows.defer("task__payload", "task__result", "task__description")

    def lock(self) -> Self:
        return self.order_by("job").select_for_update(no_key=True, of=("self",))


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def due(self, *states: str) -> Self:
        """Those in these states for which it is time, the longest due first."""
        return self.filter(state__in=states, due_at__lte=Now()).order_by("due_at", "pk")

    def lock(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)

    def lock_unless_busy(self) -> Self:
        """Lock those that nobody else has locked, in the order of the queryset."""
        return self.select_for_update(skip_locked=True, no_key=True)


def command_status(of: str = "") -> Case:
    """The status of a command, which follows from its task; `of`: the way from a row to it."""

    def when(then: CommandStatus, **task: object) -> When:
        conditions = {f"{of}task__{name}": value for name, value in task.items()}
        return When(**conditions, then=models.Value(then.value))

    return Case(
        when(CommandStatus.SUBMITTED, status=Status.QUEUED, assign_only=True),
        when(CommandStatus.QUEUED, status=Status.QUEUED),
        when(CommandStatus.CANCELLING, status=Status.IN_PROGRESS, cancel_asked_at__isnull=False),
        when(CommandStatus.RUNNING, status=Status.IN_PROGRESS),
        when(CommandStatus.COMPLETED, status=Status.DONE),
        when(CommandStatus.CANCELLED, status=Status.CANCELLED),
        when(CommandStatus.TIMEOUT, dead_letter=DeadLetter.TIMEOUT),
        default=models.Value(CommandStatus.FAILED.value),
        output_field=models.CharField(),
    )


def _with_tallies(name: str) -> Combinable:
    return F(name) + Coalesce(Sum(f"tallies__{name}"), 0)
