"""The progress of a job: running tasks, an estimate of its end, unserved tasks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Count

from agents.models import Protocol
from jobs.models import Command, Job, JobKind
from tasks import requirements
from tasks.models import Requirement, Task


def running_of(jobs: Iterable[Job]) -> dict[UUID, int]:
    """How many tasks of each job are in progress; jobs without any are left out."""
    held = Task.objects.in_progress().filter(job__in=[job.pk for job in jobs])
    return dict(held.order_by().values_list("job").annotate(Count("pk")))


def with_running(jobs: Sequence[Job]) -> Sequence[Job]:
    """Jobs that know how many of their tasks are in progress."""
    running = running_of(jobs)
    for job in jobs:
        job.running = running.get(job.pk, 0)
    return jobs


def with_particulars(jobs: Sequence[Job]) -> Sequence[Job]:
    """The same; and those that are commands with what is kept of these, unless it is gone."""
    kept = Command.objects.shown().in_bulk([job.pk for job in jobs if job.kind == JobKind.COMMAND])
    for job in jobs:
        if job.pk in kept:
            job.as_command = kept[job.pk]
    return with_running([job for job in jobs if job.kind != JobKind.COMMAND or job.pk in kept])


def with_details(job: Job) -> Job:
    """A job that knows all that is shown of one."""
    job.program = job.specification
    job.seconds_left = seconds_left(job)
    job.unserved = unserved(job)
    return with_running([job])[0]


def seconds_left(job: Job) -> float | None:
    """An estimate by the pace so far; None before the first task has ended."""
    ended = job.counted_completed + job.counted_failed + job.counted_cancelled
    if ended >= job.counted_total:
        return 0.0
    started = job.counted_started_at
    ran = job.counted_completed + job.counted_failed
    if started is None or ran == 0:
        return None
    seconds = (_now() - started).total_seconds()
    return round(seconds / ran * (job.counted_total - ended), 1)


def _now() -> datetime:
    """By the clock of the database, as all times of a job are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@dataclass(frozen=True, slots=True)
class Unserved:
    """The number of tasks that want what no online agent offers."""

    wants: Mapping[str, str]
    tasks: int


def unserved(job: Job) -> list[Unserved]:
    """The wants of the job's unserved tasks, the most frequent first."""
    waiting = dict(
        Task.objects.queued()
        .filter(job=job)
        .order_by()
        .values_list("requirement")
        .annotate(Count("pk"))
    )
    known = Requirement.objects.in_bulk([pk for pk in waiting if pk])
    spots = requirements.present(Protocol.SPOT)
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for pk, tasks in waiting.items():
        requirement = known.get(pk)
        if not requirements.is_served(requirement, spots):
            counts[tuple(sorted(requirement.wants.items())) if requirement else ()] += tasks
    return [Unserved(dict(wants), tasks) for wants, tasks in counts.most_common()]
