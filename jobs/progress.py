"""How a job goes on: what runs, how long it may take, and what waits in vain."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Count

from agents.models import Agent
from jobs.models import Job
from tasks.models import Task


def running_of(jobs: Iterable[Job]) -> dict[UUID, int]:
    """How many tasks of each job are in progress; jobs without any are left out."""
    held = Task.objects.in_progress().filter(job__in=[job.pk for job in jobs])
    return dict(held.order_by().values_list("job").annotate(Count("pk")))


def seconds_left(job: Job) -> float | None:
    """An estimate by the pace so far of a job with its counts; None while there is no pace."""
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
    """So many tasks want this, and no agent that is online offers it."""

    wants: Mapping[str, str]
    tasks: int


def unserved(job: Job) -> list[Unserved]:
    """What waiting tasks of the job want in vain, the most wanted first."""
    lines = (
        Task.objects.queued()
        .filter(job=job)
        .order_by()
        .values_list("requirement__wants", "requirement__refused_by")
        .annotate(Count("pk"))
    )
    present = list(Agent.objects.online().filter(draining=False).values_list("pk", "offers"))
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for wants, refused_by, tasks in lines:
        wanted = wants or {}
        if not any(
            agent_id not in (refused_by or ()) and _meets(offers, wanted)
            for agent_id, offers in present
        ):
            counts[tuple(sorted(wanted.items()))] += tasks
    return [Unserved(dict(wanted), tasks) for wanted, tasks in counts.most_common()]


def _meets(offers: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> bool:
    return all(value in offers[key] for key, value in wanted.items() if key in offers)
