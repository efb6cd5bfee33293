"""How a command that waited in a queue outside comes into ours."""

from enum import Enum, auto
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from jobs.corndogs.client import Delivery
from jobs.models import Command, Submission, SubmissionState
from tasks import transitions as tasks
from tasks.models import Task
from tasks.states import FINISHED

BY = "corndogs"
BATCH = 100


class Admission(Enum):
    """What became of a task that was taken outside."""

    LET_IN = auto()
    STRANGE = auto()  # no job of ours
    NEEDLESS = auto()  # its job has ended, or was let in by another task


@transaction.atomic
def let_in(delivery: Delivery) -> Admission:
    """Queue the command of a task that was taken outside; it is held there from now on.

    The same task again changes nothing but that. Another task of the same command, which a lost
    answer can make, is needless.
    """
    uuid = _uuid(delivery.task.uuid)
    found = Command.objects.filter(pk=delivery.job_id).values_list("task", flat=True)
    if uuid is None or not found:
        return Admission.STRANGE
    task = _locked(found[0])
    row = Submission.objects.filter(pk=delivery.job_id).lock().first()
    if task is None or row is None or task.status in FINISHED:
        return Admission.NEEDLESS
    if row.state == SubmissionState.TAKEN and row.corndogs_task_id != uuid:
        return Admission.NEEDLESS
    if row.state in {SubmissionState.COMPLETE, SubmissionState.CANCEL}:
        return Admission.NEEDLESS
    row.state, row.corndogs_task_id = SubmissionState.TAKEN, uuid
    row.attempts, row.last_error, row.due_at = 0, "", Now()
    row.save()
    Command.objects.filter(pk=row.pk).update(corndogs_task_id=uuid)
    tasks.admit(task.pk, by=BY)
    return Admission.LET_IN


def _locked(task_id: UUID | None) -> Task | None:
    if task_id is None:
        return None
    lean = Task.objects.only("status", "assign_only", "channel")
    return lean.filter(pk=task_id).lock().first()


def let_all_in() -> int:
    """Queue whatever was to wait outside, and forget that: there is no queue outside any more."""
    total = 0
    while ids := _let_some_in():
        total += ids
    return total


@transaction.atomic
def _let_some_in() -> int:
    ids = list(Submission.objects.order_by("pk").values_list("pk", flat=True)[:BATCH])
    held = Task.objects.filter(job__in=ids).queued().filter(assign_only=True)
    for task_id in held.order_by("pk").values_list("pk", flat=True):
        tasks.admit(task_id, by="coordinator")
    return Submission.objects.filter(pk__in=ids).delete()[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
