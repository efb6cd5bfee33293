"""What jobs have to say when `tasks` sends its signals (tasks/signals.py)."""

from django.db.models import Q
from django.dispatch import receiver

from jobs import transitions
from jobs.exceptions import JobCancelled, JobOver
from jobs.models import JobStatus
from tasks import moves
from tasks.models import Task
from tasks.signals import restore_wanted

OPEN = (JobStatus.PENDING, JobStatus.RUNNING)


def _has_ended() -> Q:
    """As the row of the job has it, which may be a second behind."""
    goes_on = Q(job__cancel_asked_at=None, job__status__in=OPEN)
    return Q(job__isnull=False) & ~goes_on


moves.NOTICED.append(_has_ended)


@receiver(restore_wanted)
def refuse_of_ended_job(task: Task, **kwargs: object) -> None:
    """The end of a job has been told. Waits for other verbs on the job, as a retry does."""
    if task.job_id is None:
        return
    job = transitions.lock(task.job_id)
    if job.cancel_asked_at is not None:
        raise JobCancelled
    if job.counted_status not in OPEN:
        raise JobOver(f"job is {job.counted_status.lower()}")
