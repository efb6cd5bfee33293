"""What people may do to jobs."""

from contextlib import suppress

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import Values, When
from console.verbs import Preview, Verb, by_key, some_of
from jobs import transitions
from jobs.exceptions import JobUnknown
from jobs.models import Job, JobStatus
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status


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


COUNTS = ("total", "completed", "failed", "cancelled")


def _lock(rows: QuerySet[Job], values: Values) -> None:
    """Wait for other verbs on the jobs. The tasks go on, and the counts with them."""
    for job_id in rows.order_by("pk").values_list("pk", flat=True):
        with suppress(JobUnknown):
            transitions.lock(job_id)


def _not_over(jobs: QuerySet[Job], values: Values) -> QuerySet[Job]:
    return Job.objects.counted().filter(
        pk__in=jobs.order_by().values("pk"), counted_status__in=set(JobStatus) - transitions.OVER
    )


UNCANCELLED = When(cancel_asked_at=False)
JOB_VERBS: list[Verb[Job]] = [
    Verb(
        "retry_failed",
        _("Retry failed"),
        [
            Preview(
                lambda jobs, _: _tasks(UNCANCELLED(jobs, _)).failed(),
                ngettext_lazy(
                    "Puts %(count)d failed task back in the queue, with all its attempts.",
                    "Puts %(count)d failed tasks back in the queue, with all their attempts.",
                    "count",
                ),
                always=True,
            ),
            Preview(
                UNCANCELLED,
                refuses=ngettext_lazy(
                    "%(count)d job was cancelled and will refuse.",
                    "%(count)d jobs were cancelled and will refuse.",
                    "count",
                ),
            ),
        ],
        by_key(transitions.retry_failed),
        _snapshot,
        When(failed=True, cancel_asked_at=False),
        lock=_lock,
        moving=COUNTS,
        beside=lambda jobs: some_of(_tasks(jobs).failed()),
        help=_("Its failed tasks are tried again."),
        icon="replay",
    ),
    Verb(
        "cancel",
        _("Cancel"),
        [
            Preview(
                lambda jobs, _: _tasks(jobs).open().exclude(status=Status.IN_PROGRESS),
                ngettext_lazy(
                    "Cancels %(count)d waiting task.", "Cancels %(count)d waiting tasks.", "count"
                ),
                always=True,
            ),
            Preview(
                lambda jobs, _: _tasks(jobs).in_progress().filter(cancel_asked_at=None),
                ngettext_lazy(
                    "Asks the agent of %(count)d running task to stop.",
                    "Asks the agents of %(count)d running tasks to stop.",
                    "count",
                ),
                always=True,
            ),
            Preview(
                _not_over,
                refuses=ngettext_lazy(
                    "%(count)d job has ended and will refuse.",
                    "%(count)d jobs have ended and will refuse.",
                    "count",
                ),
            ),
        ],
        by_key(transitions.cancel),
        _snapshot,
        When(status=[JobStatus.PENDING, JobStatus.RUNNING]),
        lock=_lock,
        moving=COUNTS,
        beside=lambda jobs: some_of(_tasks(jobs).open()),
        help=_("Nothing more of it begins; what runs is asked to stop."),
        danger=True,
        icon="cancel",
    ),
]
