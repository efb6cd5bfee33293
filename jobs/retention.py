"""Removal of old finished jobs."""

from dataclasses import dataclass
from datetime import datetime

from jobs import transitions
from jobs.exceptions import JobRuns, JobUnknown
from jobs.models import Job
from tasks.models import Task


@dataclass(frozen=True, slots=True)
class PurgedJobs:
    """How many jobs were deleted, and how many tasks with them."""

    jobs: int = 0
    tasks: int = 0


def purge(before: datetime, *, by: str, dry_run: bool = False) -> PurgedJobs:
    """Delete the jobs that finished before `before`, each with all its tasks in one transaction.

    A dry run only counts them. A job that is reopened meanwhile stays.
    """
    old = Job.objects.filter(finished_at__lt=before)
    if dry_run:
        return PurgedJobs(old.count(), Task.objects.filter(job__in=old).count())
    jobs = tasks = 0
    for job_id in list(old.order_by("pk").values_list("pk", flat=True)):
        try:
            tasks += transitions.delete(job_id, by=by, reason="purge")
        except (JobRuns, JobUnknown):
            continue
        jobs += 1
    return PurgedJobs(jobs, tasks)
