"""What people may do to jobs; each verb tells beforehand what it will change."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.permissions import OPERATE
from console.verbs import By, Values, Verb, one_by_one
from jobs import transitions
from jobs.models import Job
from tasks.models import Task
from tasks.querysets import TaskQuerySet


def _tasks(jobs: QuerySet[Job]) -> TaskQuerySet:
    return Task.objects.filter(job__in=jobs.order_by().values("pk"))


def _snapshot(job: Job) -> dict[str, object]:
    """What the job counts at this moment: its row may be a second behind."""
    now = Job.objects.counted().get(pk=job.pk)
    return {
        "status": now.counted_status,
        "total": now.counted_total,
        "completed": now.counted_completed,
        "failed": now.counted_failed,
        "cancelled": now.counted_cancelled,
        "cancel_asked": now.cancel_asked_at is not None,
    }


def _cancel_will(jobs: QuerySet[Job], values: Values) -> list[str]:
    running = _tasks(jobs).in_progress().count()
    waiting = _tasks(jobs).open().count() - running
    cancels = ngettext(
        "Cancels %(count)d waiting task.", "Cancels %(count)d waiting tasks.", waiting
    )
    asks = ngettext(
        "Asks the agent of %(count)d running task to stop.",
        "Asks the agents of %(count)d running tasks to stop.",
        running,
    )
    told = [cancels % {"count": waiting}, asks % {"count": running}]
    over = Job.objects.counted().filter(
        pk__in=jobs.order_by().values("pk"), counted_status__in=transitions.OVER
    )
    if ended := over.count():
        refuse = ngettext(
            "%(count)d job has ended and will refuse.",
            "%(count)d jobs have ended and will refuse.",
            ended,
        )
        told.append(refuse % {"count": ended})
    return told


@one_by_one
def _cancel(job: Job, by: By, values: Values) -> None:
    transitions.cancel(job.pk, by=by.actor, reason=by.reason)


def _retry_will(jobs: QuerySet[Job], values: Values) -> list[str]:
    failed = _tasks(jobs.filter(cancel_asked_at=None)).failed().count()
    retries = ngettext(
        "Puts %(count)d failed task back in the queue, with all its attempts.",
        "Puts %(count)d failed tasks back in the queue, with all their attempts.",
        failed,
    )
    told = [retries % {"count": failed}]
    if cancelled := jobs.filter(cancel_asked_at__isnull=False).count():
        refuse = ngettext(
            "%(count)d job was cancelled and will refuse.",
            "%(count)d jobs were cancelled and will refuse.",
            cancelled,
        )
        told.append(refuse % {"count": cancelled})
    return told


@one_by_one
def _retry(job: Job, by: By, values: Values) -> None:
    transitions.retry_failed(job.pk, by=by.actor, reason=by.reason)


JOB_VERBS: list[Verb[Job]] = [
    Verb("cancel", _("Cancel"), OPERATE, _cancel_will, _cancel, _snapshot),
    Verb("retry_failed", _("Retry failed"), OPERATE, _retry_will, _retry, _snapshot),
]
