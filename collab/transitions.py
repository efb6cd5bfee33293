"""The verbs of workers and of those who make jobs, as those of the engine.

Each is one transaction, in which the locks are taken in the engine's order: agent, chain, task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import ownership
from accounts.callers import Caller
from agents import transitions as agents
from api.body import JsonDict, JsonValue, is_larger
from collab.exceptions import (
    CollabJobUnknown,
    IdempotencyConflict,
    LeaseConflict,
    in_words_of_collab,
)
from collab.models import CollabJob, DeadLetter, Key, digest_of
from collab.serializers import refused
from events import journal
from problems import TooLarge
from tasks import leases, reports
from tasks import releases as engine_releases
from tasks import transitions as tasks
from tasks.exceptions import ChannelExists, WrongStatus
from tasks.models import COMMAND, SESSION_REQUEST, Channel, Task
from tasks.rows import Outcome
from tasks.states import Status

RESERVED = {COMMAND, SESSION_REQUEST}
REPLAYED = "dlq:"
"""Before the id of a job in the key of the job that replays it."""
RETRY_DELAY = 5  # seconds before the second attempt; see tasks.states.paused


def digest_of_request(type_: str, channel: Channel, payload: JsonValue) -> str:
    """Of what a repeated key has to ask for again."""
    return digest_of([type_, str(channel.pk), payload])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A requested job."""

    type: str
    executor: str
    payload: JsonDict
    key: str = ""
    priority: int = 0
    max_attempts: int | None = None
    run_at: datetime | None = None
    trace: str = ""

    def digest(self, channel: Channel) -> str:
        return digest_of_request(self.type, channel, self.payload)

    def task(self, channel: Channel, by: Caller) -> Task:
        later = {"available_at": self.run_at} if self.run_at else {}
        return Task(
            user_id=channel.user_id or by.user_id,
            channel=channel,
            title=self.type,
            type=self.type,
            payload=self.payload,
            priority=self.priority,
            max_attempts=self.max_attempts or settings.MAX_ATTEMPTS,
            retry_delay_seconds=RETRY_DELAY,
            trace=self.trace,
            **later,
        )


def assign(request: JobRequest, *, by: Caller) -> tuple[UUID, bool]:
    """Queue a job for an executor; its id, and whether it is new.

    A known key gives its first job if the request is the same, else IdempotencyConflict is raised:
    also where that job is another user's, of which nothing is said.
    """
    refuse_reserved(request.type)
    if request.key.startswith(REPLAYED):
        raise refused("idempotencyKey", f"must not begin with {REPLAYED!r}: replays have such keys")
    channel = _channel(request.executor, by)
    if request.key and (known := _known(request, channel, by)):
        return known, False
    try:
        return _queued(request, channel, by), True
    except IntegrityError as error:
        if tasks.violated(error) != "collab_key_is_unique":
            raise
    if known := _known(request, channel, by):
        return known, False
    return _queued(request, channel, by), True  # the first is gone since


def _queued(request: JobRequest, channel: Channel, by: Caller) -> UUID:
    return enqueue(request.task(channel, by), request.key, request.digest(channel), by=by)


@transaction.atomic
def enqueue(task: Task, key: str, digest: str, *, by: Caller) -> UUID:
    """Queue a job, with its key if it has one; its id. Raises IntegrityError for a known key.

    Of two at once with one key, the second waits at its row until the first has committed.
    """
    if key:
        Key.objects.create(key=key, task_id=task.pk, digest=digest)
    tasks.enqueue([task], by=by.name)
    return task.pk


def _known(request: JobRequest, channel: Channel, by: Caller) -> UUID | None:
    key = (
        Key.objects.filter(key=request.key)
        .select_related("task")
        .only("digest", "task__user_id")
        .first()
    )
    if key is None:
        return None
    hidden = ownership.is_limited(by, changes=True) and key.task.user_id not in {None, by.user_id}
    if hidden or key.digest != request.digest(channel):
        raise IdempotencyConflict
    return key.task_id


def refuse_reserved(type_: str) -> None:
    """Refuse the types that mean something to the engine and its agents."""
    if type_ in RESERVED:
        raise refused("type", f"must not be {type_!r}, which has other jobs")


def _channel(name: str, by: Caller) -> Channel:
    """The executor of this name, made for all with the first job for it."""
    if name.lower() in tasks.OF_NOBODY:
        raise refused("executorId", f"must not be {name!r}, which has other jobs")
    try:
        channel = Channel.objects.named([name]).first() or tasks.open_channel(name, by=by.name)
    except ChannelExists:
        channel = Channel.objects.named([name]).get()
    ownership.check(channel.user_id, by)
    return channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who says that it holds a job, by which lease; "" and None where it says nothing."""

    worker: str = ""
    token: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a worker says became of a job."""

    type: str
    ok: bool
    result: JsonValue = None
    artifacts: Sequence[JsonDict] = ()
    error: str = ""
    retryable: bool = True
    letter: Mapping[str, str] = field(default_factory=dict)
    """`reason_code` and `stage`, as far as they are named, for the dead letter that follows."""

    @property
    def kept(self) -> JsonDict | None:
        """The result of the task."""
        given: JsonDict = {}
        if self.artifacts:
            given["artifacts"] = list(self.artifacts)
        if self.result is not None:
            given["result"] = self.result
        return given or None


@transaction.atomic
def report(job_id: UUID, result: Result, holder: Holder, *, by: Caller) -> None:
    """End the attempt at a job; where it had not been started, it is started first.

    The same report again changes nothing. Raises LeaseConflict where the lease has ended, or is of
    another worker; without a worker the job must still be leased.
    """
    if is_larger(result.kept, settings.MAX_PAYLOAD_BYTES):
        raise TooLarge(f"A result may have {settings.MAX_PAYLOAD_BYTES} bytes at most.")
    job = _locked(job_id, holder)
    if job.type and job.type != result.type:
        raise refused("type", f"must be {job.type!r}, which is that of the job")
    outcome = Outcome(
        job_id,
        result.ok,
        result.kept if result.ok else None,
        reason=result.error,
        retriable=result.retryable,
        epoch=holder.token,
    )
    with in_words_of_collab():
        if job.status == Status.IN_PROGRESS:
            _start(job, holder)
        else:
            _refuse_late(job, holder)
        [verdict], _ = reports.report_in_transaction(
            [outcome], agent_id=holder.worker or None, by=by.name
        )
        if isinstance(verdict.problem, WrongStatus) and job.status == Status.QUEUED:
            raise LeaseConflict(f"The lease of job {job_id} has ended.")
        if verdict.problem:
            raise verdict.problem
    is_new = job.status != Status.FAILED  # as it was before: a repeated report changes nothing
    if result.letter and not result.ok and is_new:
        DeadLetter.objects.filter(task=job_id, task__status=Status.FAILED).update(**result.letter)


def _locked(job_id: UUID, holder: Holder) -> CollabJob:
    """The job, locked behind its worker and its chain."""
    if not CollabJob.objects.of_collab().filter(pk=job_id).exists():
        raise CollabJobUnknown(f"There is no job {job_id}.")
    if holder.worker:
        agents.hear(holder.worker)
    tasks.lock([job_id])
    lean: Any = CollabJob.objects.filter(pk=job_id).defer("payload", "result")
    job: CollabJob | None = lean.with_lease_over().first()
    if job is None:
        raise CollabJobUnknown(f"There is no job {job_id}.")
    return job


def _start(job: CollabJob, holder: Holder) -> None:
    """Start the lease that is to end, where that has not been said before."""
    if not holder.worker and job.lease_over:
        raise LeaseConflict(f"The lease of job {job.pk} has ended.")
    leases.start(job.pk, agent_id=holder.worker or job.agent_id or "", epoch=holder.token)


def _refuse_late(job: CollabJob, holder: Holder) -> None:
    """Refuse a report on a lease that ended by no report of its worker."""
    epoch = holder.token or job.lease_epoch
    if job.status in {Status.QUEUED, Status.FAILED, Status.LOCKED} and job.closed_epoch != epoch:
        raise LeaseConflict(f"The lease of job {job.pk} has ended.")


@transaction.atomic
def start(job_id: UUID, holder: Holder) -> CollabJob:
    """The worker says that it runs the job. Repeating it changes nothing."""
    _begin(job_id, holder)
    return CollabJob.read(job_id)


@transaction.atomic
def renew(job_id: UUID, holder: Holder, *, seconds: int | None) -> CollabJob:
    """Start the lease of a job anew, by its own length or this one; it runs from now on."""
    _begin(job_id, holder)
    with in_words_of_collab():
        leases.renew(job_id, agent_id=holder.worker, epoch=holder.token, lease_seconds=seconds)
    job = CollabJob.read(job_id)
    until = job.lease_expires_at.isoformat() if job.lease_expires_at else None
    _record("task.lease_renewed", job, {"lease_until": until})
    return job


@transaction.atomic
def progress(job_id: UUID, holder: Holder, said: JsonDict) -> None:
    """Write to the journal how far a running job is."""
    _begin(job_id, holder)
    _record("task.progress", CollabJob.read(job_id), said)


def _begin(job_id: UUID, holder: Holder) -> None:
    """Lock the job that the worker holds, and start it if nothing has."""
    journal.attribute(actor=f"agent:{holder.worker}")
    _locked(job_id, holder)
    with in_words_of_collab():
        leases.start(job_id, agent_id=holder.worker, epoch=holder.token)


def _record(type_: str, job: CollabJob, said: JsonDict) -> None:
    journal.record(
        type_,
        agent_id=job.agent_id,
        task_id=str(job.pk),
        chain_id=job.chain_id,
        channel_id=job.channel_id,
        payload={"lease_epoch": job.lease_epoch, **said},
    )


def release(job_id: UUID, holder: Holder, *, reason: str) -> CollabJob:
    """Give a job back undone, at no cost to it. Repeating it changes nothing."""
    _refuse_unknown(job_id)
    with in_words_of_collab():
        engine_releases.release(job_id, agent_id=holder.worker, epoch=holder.token, reason=reason)
    return CollabJob.read(job_id)


def cancel(job_id: UUID, *, hard: bool, reason: str, by: Caller) -> CollabJob:
    """Cancel a job: at once where it waits, else its worker is asked, or with `hard` loses it."""
    _refuse_unknown(job_id)
    ownership.check_each(Task.objects.filter(pk=job_id), by)
    with in_words_of_collab():
        tasks.cancel(job_id, by=by.name, reason=reason, force=hard)
    return CollabJob.read(job_id)


def _refuse_unknown(job_id: UUID) -> None:
    if not CollabJob.objects.of_collab().filter(pk=job_id).exists():
        raise CollabJobUnknown(f"There is no job {job_id}.")
