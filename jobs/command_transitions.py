"""Everything that makes or steers a command, and how one ends."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import uuid_utils.compat
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import DurationField, ExpressionWrapper, F, Value
from django.db.models.functions import Now

from accounts import ownership
from accounts.callers import Caller
from accounts.exceptions import NotYours
from agents.models import Agent
from api.body import is_larger
from events import journal
from jobs import transitions as jobs
from jobs.commands import (
    CANCELLABLE,
    CONTAINER,
    EXECUTOR,
    RETRYABLE,
    CommandRequest,
    CommandStatus,
    ExitStatus,
)
from jobs.corndogs import outbox
from jobs.exceptions import (
    BadCommand,
    CommandEndless,
    CommandOver,
    JobUnknown,
    KeyUsed,
    NoCommand,
)
from jobs.models import Command, Job, JobKind
from problems import TooLarge
from tasks import leases, reports, requirements, secrets
from tasks import transitions as tasks
from tasks.exceptions import ChannelExists, TaskUnknown
from tasks.models import COMMAND, Channel, Requirement, Task
from tasks.reports import Verdict
from tasks.rows import Outcome
from tasks.states import DeadLetter

SLACK = timedelta(seconds=30)
"""How much longer than its time and the grace a command may take before we end it ourselves."""
NO_CONTAINERS = "No runner offers containers, which its image needs."


def submit(request: CommandRequest, *, by: Caller, trace: str = "") -> tuple[Command, bool]:
    """Make a command of this trace, or nothing; returns it and whether it is new.

    A repeated key gives the first one if the request is the same, else KeyUsed is raised.
    """
    channel = _channel(request.queue_name, by)
    required = requirements.of({}, requires=request.required)
    try:
        return _made(request, channel, required, by=by, trace=trace), True
    except IntegrityError as error:
        if tasks.violated(error) != "job_key_is_unique":
            raise
    keyed = Command.objects.shown().filter(
        job__kind=JobKind.COMMAND,
        job__idempotency_key=request.idempotency_key,
        job__user=channel.user_id or by.user_id,
    )
    first = keyed.first()
    if first is None:  # it has been deleted since
        return submit(request, by=by, trace=trace)
    if first.digest != request.digest:
        raise KeyUsed
    return first, False


def _channel(name: str, by: Caller) -> Channel:
    """The queue of this name, made for all with the first command for it."""
    if name.lower() in tasks.OF_NOBODY - {settings.DEFAULT_QUEUE_NAME.lower()}:
        raise BadCommand(f"queue_name must not be {name!r}: it has other jobs.")
    try:
        channel = Channel.objects.named([name]).first() or tasks.open_channel(name, by=by.name)
    except ChannelExists:
        channel = Channel.objects.named([name]).get()
    ownership.check(channel.user_id, by)
    return channel


@transaction.atomic
def _made(
    request: CommandRequest,
    channel: Channel,
    required: Requirement | None,
    *,
    by: Caller,
    trace: str = "",
    retry_of: Command | None = None,
) -> Command:
    journal.attribute(actor=by.name)
    job = Job.objects.create(
        id=uuid_utils.compat.uuid7(),
        user_id=retry_of.job.user_id if retry_of else channel.user_id or by.user_id,
        kind=JobKind.COMMAND,
        name=request.name,
        specification=request.specification,
        priority=request.priority,
        idempotency_key=request.idempotency_key,
    )
    payload = request.payload(str(job.pk))
    if is_larger(payload, settings.MAX_PAYLOAD_BYTES):
        raise TooLarge(f"A command may have {settings.MAX_PAYLOAD_BYTES} bytes at most.")
    task = Task(
        job=job,
        user_id=job.user_id,
        channel=channel,
        title=request.name,
        description=request.description,
        type=COMMAND,
        payload=payload,
        priority=request.priority,
        requirement=required,
        max_attempts=request.max_attempts,
        trace=trace,
        assign_only=outbox.is_wanted(),
    )
    tasks.enqueue([task], by=by.name)
    if retry_of is None:
        secrets.keep(task.pk, request.secrets)
    else:
        secrets.copy(task.pk, retry_of.task_id)
    Command.objects.create(
        job=job,
        task_id=task.pk,
        timeout_seconds=request.timeout_seconds,
        digest=request.digest,
        parent_id=retry_of.job_id if retry_of else None,
        retry_count=retry_of.retry_count + 1 if retry_of else 0,
    )
    if outbox.is_wanted():
        outbox.add(job, channel.name)
    return known(job.pk)


def known(job_id: UUID) -> Command:
    """A command as it is now. Raises JobUnknown."""
    found = Command.objects.shown().filter(pk=job_id).first()
    if found is None:
        raise JobUnknown
    return found


@transaction.atomic
def cancel(job_id: UUID, *, by: str, reason: str = "") -> Command:
    """Cancel a command: at once while it waits, else its runner is asked to stop.

    Raises CommandOver if it has ended, or was asked to stop before.
    """
    jobs.lock(job_id)
    now = known(job_id)
    if now.status not in CANCELLABLE:
        raise CommandOver(f"The command is {now.status}.")
    jobs.cancel(job_id, by=by, reason=reason)
    return known(job_id)


@transaction.atomic
def kill(job_id: UUID, *, by: str, reason: str = "") -> Command:
    """Cancel a command at once, also one that was asked to stop; its runner then ends it.

    Raises CommandOver if it has ended.
    """
    jobs.lock(job_id)
    now = known(job_id)
    if now.task_id is None or now.status not in {*CANCELLABLE, CommandStatus.CANCELLING}:
        raise CommandOver(f"The command is {now.status}.")
    tasks.cancel(now.task_id, by=by, reason=reason, force=True)
    Command.objects.filter(pk=job_id).update(killed=True)
    return known(job_id)


def retry(job_id: UUID, *, by: Caller) -> Command:
    """Make a new command like one that did not complete. Raises CommandEndless for others."""
    old = known(job_id)
    if old.status not in RETRYABLE:
        raise CommandEndless(f"The command is {old.status}.")
    job = old.job
    request = CommandRequest.again(job.name, job.priority, job.specification)
    if request.secret_names:
        if old.task_id is None:
            raise CommandEndless("Its secrets have been purged with its task.")
        if job.user_id is None and ownership.is_limited(by, changes=True):
            raise NotYours
    required = requirements.of({}, requires=request.required)
    return _made(request, _channel(request.queue_name, by), required, by=by, retry_of=old)


@transaction.atomic
def exit_(
    task_id: UUID,
    status: ExitStatus,
    *,
    agent_id: str,
    epoch: int,
    exit_code: int | None = None,
    error: str = "",
    commit_sha: str = "",
) -> Command:
    """Take a runner's word on how its command ended; the same again changes nothing.

    A command that was asked to stop is cancelled unless it completed. Raises the Problem of a
    report that does not count.
    """
    found = Command.objects.filter(task=task_id).values_list("job", flat=True).first()
    if found is None:
        known_task = Task.objects.filter(pk=task_id).exists()
        raise NoCommand if known_task else TaskUnknown(f"There is no task {task_id}.")
    outcome = Outcome(
        task_id,
        done=status == ExitStatus.COMPLETED,
        result=_result(exit_code, commit_sha) if status == ExitStatus.COMPLETED else None,
        reason=error or _said(status, exit_code),
        epoch=epoch,
    )
    [verdict], _ = reports.report_in_transaction([outcome], agent_id=agent_id, by="")
    if verdict.problem:
        raise verdict.problem
    if verdict.verdict == Verdict.ACCEPTED:
        if status == ExitStatus.TIMEOUT:
            Task.objects.filter(pk=task_id).failed().update(dead_letter=DeadLetter.TIMEOUT)
        Command.objects.filter(pk=found).update(exit_code=exit_code, commit_sha=commit_sha)
    return known(found)


def _result(exit_code: int | None, commit_sha: str) -> Mapping[str, object]:
    return {"exit_code": exit_code, **({"commit_sha": commit_sha} if commit_sha else {})}


def _said(status: ExitStatus, exit_code: int | None) -> str:
    if status == ExitStatus.FAILED and exit_code is not None:
        return f"exit code {exit_code}"
    return {ExitStatus.TIMEOUT: "timed out", ExitStatus.CANCELLED: "cancelled"}.get(status, "")


def end_overdue() -> int:
    """End the commands whose time and grace are over, and whose runner has not said so; how many.

    A pass of the loop. Their runner, if it is there, is told that it does not hold them any more.
    """
    timeout = ExpressionWrapper(
        F("command__timeout_seconds") * Value(timedelta(seconds=1)), DurationField()
    )
    late = Now() - settings.CANCEL_GRACE - SLACK - timeout
    running = Task.objects.in_progress().filter(type=COMMAND, command__isnull=False)
    overdue = running.filter(claimed_at__lt=late)
    ended = leases.time_out(overdue, "timed out; its runner did not end it")
    Command.objects.filter(task__in=ended).update(exit_code=None, commit_sha="")
    return len(ended)


def give_up_unserved() -> int:
    """Fail the commands that have waited long for a runner with containers, where none came.

    A pass of the loop; returns how many.
    """
    since = Now() - settings.IMAGE_WAIT
    waiting = Task.objects.queued().filter(
        type=COMMAND,
        queue_at__lt=since,
        available_at__lt=since,  # a requeue begins anew
        assign_only=False,
        **{f"requirement__requires__{EXECUTOR}": CONTAINER},
    )
    needed = Requirement.objects.filter(pk__in=waiting.values("requirement"))
    seen = list(Agent.objects.filter(last_seen_at__gt=since))
    unserved = [one.pk for one in needed if not requirements.is_served(one, seen)]
    if not unserved:
        return 0
    return len(leases.give_up(waiting.filter(requirement__in=unserved), NO_CONTAINERS))
