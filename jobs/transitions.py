"""Every way a job comes to be and is steered. What it counts follows from its tasks by triggers.

Cancel and retry of one job go one after the other: each begins with a lock of its own, which
nothing else asks for. So no retry brings back a task behind a cancellation that has looked.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from accounts.callers import Caller
from api.body import JsonDict
from events import journal
from jobs.exceptions import JobCancelled, JobOver, JobRuns, JobUnknown, KeyUsed
from jobs.models import Job, JobStatus, Kind, Tally
from jobs.sweeps import CHANNEL, Sweep
from tasks import batches, requirements, retention
from tasks import transitions as tasks
from tasks.batches import Cancelled, Draft
from tasks.exceptions import ChannelExists
from tasks.models import Channel, Task
from tasks.states import FINISHED

Wants = frozenset[tuple[str, str]]

OVER = frozenset({JobStatus.COMPLETED, JobStatus.FAILED})
SERIALLY = "SELECT pg_advisory_xact_lock(hashtextextended('jobs:' || %s, 0))"


def create_sweep(sweep: Sweep, *, by: Caller) -> tuple[Job, bool]:
    """Make a sweep with all its tasks, or nothing; the job, and whether it is new.

    A key that was used before gives the job made then, if it was asked for in the same words,
    and KeyUsed otherwise. Of two that come at once the second waits for the first.
    """
    channel = _channel(by.name)
    known = _requirements(sweep)
    try:
        with transaction.atomic():
            journal.attribute(actor=by.name)
            job = Job.objects.create(
                user_id=by.user_id,
                kind=Kind.SWEEP,
                name=sweep.name,
                specification=sweep.specification,
                priority=sweep.priority,
                idempotency_key=sweep.idempotency_key,
            )
            batches.enqueue_for_job(
                job.pk,
                channel,
                _drafts(sweep, known),
                priority=sweep.priority,
                max_attempts=sweep.max_attempts or settings.MAX_ATTEMPTS,
                retry_delay_seconds=sweep.retry_delay_seconds,
                by=by.name,
            )
            return job, True
    except IntegrityError as error:
        if tasks.violated(error) != "job_key_is_unique":
            raise
    first = Job.objects.get(kind=Kind.SWEEP, idempotency_key=sweep.idempotency_key)
    if _said(first) != (sweep.name, sweep.priority, sweep.specification):
        raise KeyUsed
    return first, False


def _said(job: Job) -> tuple[str, int, JsonDict]:
    return job.name, job.priority, job.specification


def _channel(by: str) -> Channel:
    """The channel of all sweeps, made when the first is."""
    try:
        return Channel.objects.named([CHANNEL]).first() or tasks.open_channel(CHANNEL, by=by)
    except ChannelExists:
        return Channel.objects.named([CHANNEL]).get()


def _requirements(sweep: Sweep) -> dict[Wants, int | None]:
    """The rows that tasks share, made before and each for itself.

    Made inside of the job's transaction they would cross with those of another sweep.
    """
    found = {frozenset(wants.items()): requirements.of(wants) for wants in sweep.different_wants()}
    return {wants: row.pk if row else None for wants, row in found.items()}


def _drafts(sweep: Sweep, known: Mapping[Wants, int | None]) -> Iterator[Draft]:
    for task in sweep.tasks():
        yield Draft(task.title, task.payload, known[frozenset(task.wants.items())])


@transaction.atomic
def cancel(job_id: UUID, *, by: str, reason: str = "") -> Cancelled:
    """Cancel the tasks that wait, and ask the SPOTs that run others to stop.

    A task that a SPOT claims at the same moment is either cancelled or asked to stop. Asked
    again, it does what is left to do; a job that has ended in another way refuses.
    """
    journal.attribute(actor=by, reason=reason)
    job = _serially(job_id)
    if job.counted_status in OVER:
        raise JobOver(f"job is {job.counted_status.lower()}")
    done = batches.cancel_all(Task.objects.filter(job=job_id), by=by, reason=reason)
    Job.objects.filter(pk=job_id, cancel_asked_at=None).update(
        cancel_asked_at=Now(), updated_at=Now()
    )
    Tally.objects.create(job_id=job_id)  # its status may follow from this alone
    return done


@transaction.atomic
def retry_failed(job_id: UUID, *, by: str, reason: str = "") -> int:
    """Put the failed tasks back in the queue, with all their attempts; how many there were."""
    job = _serially(job_id)
    if job.cancel_asked_at is not None:
        raise JobCancelled
    return batches.requeue_all(Task.objects.filter(job=job_id), by=by, reason=reason)


@transaction.atomic
def delete(job_id: UUID, *, by: str, reason: str = "") -> int:
    """Delete a job that is over, with all that is kept of its tasks; how many tasks it had."""
    journal.attribute(actor=by, reason=reason)
    _serially(job_id)
    locked = list(Task.objects.filter(job=job_id).lock().values_list("pk", "status"))
    if not all(status in FINISHED for _, status in locked):
        raise JobRuns
    ids = [pk for pk, _ in locked]
    for start in range(0, len(ids), batches.BATCH):
        retention.delete(ids[start : start + batches.BATCH])
    Job.objects.filter(pk=job_id).delete()
    return len(ids)


def _serially(job_id: UUID) -> Job:
    """The job with its counts, for the one verb that steers it now."""
    with connection.cursor() as cursor:
        cursor.execute(SERIALLY, [str(job_id)])
    job = Job.objects.counted().filter(pk=job_id).first()
    if job is None:
        raise JobUnknown
    return job
