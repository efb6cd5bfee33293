"""Removal of old finished jobs."""

from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError

from jobs import transitions
from jobs.exceptions import JobBusy, JobRuns, JobUnknown
from jobs.models import Job
from problems.database import is_lock_timeout
from tasks.models import Task


@dataclass(frozen=True, slots=True)
class PurgedJobs:
    """How many jobs were deleted, and how many tasks with them; how many jobs were left, locked."""

    jobs: int = 0
    tasks: int = 0
    left: int = 0


def purge(before: datetime, *, by: str, dry_run: bool = False) -> PurgedJobs:
    """Delete the jobs that finished before `before`, each with all its tasks in one transaction.

    A dry run only counts them. A job that is reopened meanwhile stays, and so does
    one that others have locked, or a task of it.
    """
    old = Job.objects.filter(finished_at__lt=before)
    if dry_run:
        return PurgedJobs(old.count(), Task.objects.filter(job__in=old).count())
    jobs = tasks = left = 0
    for job_id in list(old.order_by("pk").values_list("pk", flat=True)):
        try:
            tasks += transitions.delete(job_id, by=by, reason="purge", skip_locked=True)
            jobs += 1
        except (JobRuns, JobUnknown):
            continue
        except JobBusy:
            left += 1
        except OperationalError as problem:  # an attempt, an input or a tally is locked
            if not is_lock_timeout(problem):
                raise
            left += 1
    return PurgedJobs(jobs, tasks, left)
