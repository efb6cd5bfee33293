"""Everything that creates or steers a job. Its counters follow from its tasks by triggers.

Cancel, retry and delete of one job are serialised by an advisory lock that nothing else takes. So
no retry requeues a task behind a concurrent cancel.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from accounts.callers import Caller
from events import bounds, journal
from jobs.exceptions import JobBusy, JobCancelled, JobOver, JobRuns, JobUnknown, KeyUsed
from jobs.models import Job, JobKind, JobStatus, Tally
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
UNLESS_BUSY = SERIALLY.replace("pg_advisory", "pg_try_advisory")


def create_sweep(sweep: Sweep, *, by: Caller) -> tuple[Job, bool]:
    """Create a sweep with all its tasks, or nothing; return the job and whether it is new.

    A repeated key returns the first job if the request is the same, and raises KeyUsed otherwise.
    Of two concurrent requests the second waits for the first.
    """
    channel = _channel(by.name)
    known = _requirements(sweep)
    try:
        with transaction.atomic():
            bounds.extend()
            journal.attribute(actor=by.name)
            job = Job.objects.create(
                user_id=by.user_id,
                kind=JobKind.SWEEP,
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
                user_id=by.user_id,
                by=by.name,
            )
            return job, True
    except IntegrityError as error:
        if tasks.violated(error) != "job_key_is_unique":
            raise
    first = Job.objects.get(
        kind=JobKind.SWEEP, idempotency_key=sweep.idempotency_key, user=by.user_id
    )
    if not _is_requested(first, sweep):
        raise KeyUsed
    return first, False


def _is_requested(job: Job, sweep: Sweep) -> bool:
    """The database compares, since it stores numbers in its own way."""
    same = Job.objects.filter(name=sweep.name, priority=sweep.priority)
    return same.filter(pk=job.pk, specification=sweep.specification).exists()


def _channel(by: str) -> Channel:
    """The channel of all sweeps, created with the first."""
    try:
        return Channel.objects.named([CHANNEL]).first() or tasks.open_channel(CHANNEL, by=by)
    except ChannelExists:
        return Channel.objects.named([CHANNEL]).get()


def _requirements(sweep: Sweep) -> dict[Wants, int | None]:
    """The requirements of the tasks, each committed before the job's transaction.

    Created inside of it, they could deadlock with those of another sweep.
    """
    wanted = list(sweep.different_wants())
    rows = requirements.of_each((wants, {}) for wants in wanted)
    pairs = zip(wanted, rows, strict=True)
    return {frozenset(wants.items()): row.pk if row else None for wants, row in pairs}


def _drafts(sweep: Sweep, known: Mapping[Wants, int | None]) -> Iterator[Draft]:
    for task in sweep.tasks():
        yield Draft(task.title, task.payload, known[frozenset(task.wants.items())])


@transaction.atomic
def cancel(job_id: UUID, *, by: str, reason: str = "") -> Cancelled:
    """Cancel the queued tasks, and ask the agents of running tasks to stop.

    A task that is claimed at the same moment is either cancelled or asked to stop. Repeating it
    does what is left to do. Raises JobOver if the job has ended otherwise.
    """
    bounds.extend()
    journal.attribute(actor=by, reason=reason)
    job = lock(job_id)
    if job.counted_status in OVER:
        raise JobOver(f"job is {job.counted_status.lower()}")
    done = batches.cancel_all(Task.objects.filter(job=job_id), by=by, reason=reason)
    Job.objects.filter(pk=job_id, cancel_asked_at=None).update(
        cancel_asked_at=Now(), updated_at=Now()
    )
    Tally.objects.create(job_id=job_id)  # so that the status follows even if no task changed
    return done


@transaction.atomic
def retry_failed(job_id: UUID, *, by: str, reason: str = "") -> int:
    """Put the failed tasks back in the queue with all their attempts; return how many."""
    bounds.extend()
    job = lock(job_id)
    if job.cancel_asked_at is not None:
        raise JobCancelled
    return batches.requeue_all(Task.objects.filter(job=job_id), by=by, reason=reason)


@transaction.atomic
def delete(job_id: UUID, *, by: str, reason: str = "", skip_locked: bool = False) -> int:
    """Delete an ended job with its tasks, their attempts and inputs; return how many tasks.

    `skip_locked`: raise JobBusy where somebody else has locked the job or a task of it.
    """
    bounds.extend()
    journal.attribute(actor=by, reason=reason)
    lock(job_id, skip_locked=skip_locked)
    rows = Task.objects.filter(job=job_id)
    locking = rows.lock_to_delete() if skip_locked else rows.lock()
    locked = list(locking.values_list("pk", "status"))
    if skip_locked and len(locked) < rows.count():
        raise JobBusy
    if not all(status in FINISHED for _, status in locked):
        raise JobRuns
    ids = [pk for pk, _ in locked]
    for start in range(0, len(ids), batches.BATCH):
        retention.delete(ids[start : start + batches.BATCH])
    Job.objects.filter(pk=job_id).delete()
    return len(ids)


def lock(job_id: UUID, *, skip_locked: bool = False) -> Job:
    """Wait for other verbs on this job; return it with its exact counts.

    No other verb begins until the transaction ends. `skip_locked`: raise JobBusy instead of
    waiting for another verb, or for whoever has locked the job's row.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNLESS_BUSY if skip_locked else SERIALLY, [str(job_id)])
        if cursor.fetchone() == (False,):
            raise JobBusy
    if skip_locked and not _lock_row(job_id):
        raise JobBusy
    job = Job.objects.counted().filter(pk=job_id).first()
    if job is None:
        raise JobUnknown
    return job


def _lock_row(job_id: UUID) -> bool:
    """Whether nobody else has locked the job's row, which now is locked; or there is none."""
    row = Job.objects.filter(pk=job_id)
    return row.select_for_update(skip_locked=True).exists() or not row.exists()
