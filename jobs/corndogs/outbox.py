"""What is still to be said to the queue outside, after commit and until it is heard.

A row is picked in one transaction, the server is asked in none, and what it answered is written in
another. Whoever is killed in between leaves a row that is due again a minute later; a task that was
made twice outside is let in once (`admission`).
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from api.body import JsonDict
from jobs.corndogs.admission import let_all_in
from jobs.corndogs.client import WORKING, Client, OutsideTask, connect
from jobs.corndogs.faces import CorndogsError, Refused
from jobs.models import Command, Job, OutsideQueue, Submission, SubmissionState
from jobs.querysets import SubmissionQuerySet
from tasks.models import Task

BATCH = 20
BUDGET = 2.5
"""Seconds after which a pass leaves the rest to the next one."""
PICKED = timedelta(minutes=1)
"""How long a row is left alone that somebody picked: longer than a pass takes."""
CHECK = timedelta(minutes=5)
"""How often it is looked whether what waits outside is still there."""
LEASE_SECONDS = 120
BEAT = timedelta(seconds=30)
"""How often what was taken is held there anew, for `LEASE_SECONDS`."""
LONGEST_PAUSE = 60
LONGEST_ERROR = 500

log = logging.getLogger("coordinator.corndogs")

OF_THE_LOOP = (
    SubmissionState.WAITING,
    SubmissionState.SENT,
    SubmissionState.COMPLETE,
    SubmissionState.CANCEL,
)
"""With what is taken the bridges deal, by which it is to be seen that there are some."""


def is_wanted() -> bool:
    """Whether commands wait in a queue outside before they are queued here."""
    return bool(settings.CORNDOGS)


class Silent(CorndogsError):
    """The server did not answer; `done`: what was done before."""

    def __init__(self, done: int, problem: CorndogsError) -> None:
        super().__init__(str(problem))
        self.done = done


class Ear:
    """Logs when the queue outside falls silent or refuses, once, and when it answers again."""

    def __init__(self) -> None:
        self.silent = False
        self.refusal = ""

    def heard(self) -> None:
        if self.silent:
            log.info("Corndogs answers again.")
        self.silent = False

    def missed(self, problem: CorndogsError) -> None:
        if not self.silent:
            log.warning("Corndogs does not answer.", extra={"problem": str(problem)})
        self.silent = True

    def refused(self, problem: Refused) -> None:
        if self.refusal != str(problem):
            log.warning("Corndogs refuses a call.", extra={"problem": str(problem)})
        self.refusal = str(problem)


ear = Ear()
"""Of this process: of the loop, or of a bridge."""


def add(job: Job, queue: str) -> None:
    """Note, in the transaction that makes the command, that it is to be sent."""
    if not OutsideQueue.objects.filter(pk=queue).exists():
        OutsideQueue.objects.bulk_create([OutsideQueue(queue)], ignore_conflicts=True)
    Submission.objects.create(job=job, queue=queue)


def payload(command: Command) -> JsonDict:
    """What is told of a command; its taker goes by `job_id` alone. Without secrets."""
    job, asked = command.job, command.job.specification
    return {
        "job_id": str(job.pk),
        "job_type": "run",
        "config": {
            "image": asked["runner_image"],
            "command": asked["job_command"],
            "working_dir": asked["job_dir"],
            "timeout": command.timeout_seconds,
            "code_dir": asked["code_dir"],
            "job_dir": asked["job_dir"],
            "environment": asked["job_env_vars"],
            "env_file": asked["job_env_file"],
        },
        "source": {
            "type": asked["source_type"],
            "url": asked["git_url"],
            "ref": asked["git_ref"],
            "source_path": asked["source_path"],
        },
        "metadata": {
            "user_id": str(job.user_id) if job.user_id else None,
            "submitted_at": job.created_at.isoformat(),
            "name": job.name,
            "description": asked["description"],
        },
    }


def send() -> int:
    """Say what is due to the queue outside; how many times it was heard. A pass of the loop.

    Without a queue outside, what was to wait there is queued here.
    """
    if not is_wanted():
        return let_all_in()
    with closing(connect(settings.CORNDOGS, settings.CORNDOGS_API_KEY)) as called:
        try:
            done = work(called, OF_THE_LOOP)
        except Silent as problem:
            ear.missed(problem)
            return problem.done
    if done:
        ear.heard()
    return done


def work(called: Client, states: Sequence[SubmissionState]) -> int:
    """Do what is due with rows in these states; how many of them are done.

    A server that does not answer is left alone until the next time; it says nothing about the rows
    behind, which are due at once again.
    """
    done, end = 0, time.monotonic() + BUDGET
    while rows := _picked(states):
        for place, row in enumerate(rows):
            if time.monotonic() > end:
                _put_back(rows[place:])
                return done
            try:
                STEPS[SubmissionState(row.state)](called, row)
                done += 1
            except Refused as problem:
                ear.refused(problem)
                _failed(row, problem)
            except CorndogsError as problem:
                _failed(row, problem)
                _put_back(rows[place + 1 :])
                raise Silent(done, problem) from None
    return done


@transaction.atomic
def _picked(states: Sequence[SubmissionState]) -> list[Submission]:
    """The rows that are due, for their picker alone for a while."""
    rows = list(Submission.objects.due(*states).lock_unless_busy()[:BATCH])
    Submission.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=Now() + PICKED)
    return rows


def _put_back(rows: list[Submission]) -> None:
    Submission.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=Now())


def _unchanged(row: Submission) -> SubmissionQuerySet:
    """The row, unless something has become of it while the server was asked."""
    return Submission.objects.filter(
        pk=row.pk, state=row.state, corndogs_task_id=row.corndogs_task_id
    )


def _failed(row: Submission, problem: CorndogsError) -> None:
    pause = timedelta(seconds=min(2**row.attempts, LONGEST_PAUSE))
    _unchanged(row).update(
        attempts=F("attempts") + 1, last_error=str(problem)[:LONGEST_ERROR], due_at=Now() + pause
    )


def _heard(row: Submission, again_in: timedelta, **more: object) -> int:
    return _unchanged(row).update(due_at=Now() + again_in, attempts=0, last_error="", **more)


def _outside(row: Submission) -> OutsideTask:
    return OutsideTask(str(row.corndogs_task_id), row.queue)


def _priority(row: Submission) -> int:
    found = Task.objects.filter(job=row.job_id).values_list("priority", flat=True).first()
    return found or 0


def _submit(called: Client, row: Submission) -> None:
    command = Command.objects.select_related("job").filter(pk=row.pk).first()
    if command is None:
        _unchanged(row).delete()
        return
    priority = _priority(row)
    uuid = called.submit(
        row.queue, payload(command), timeout=settings.DEFAULT_TIMEOUT, priority=priority
    )
    if not _accepted(row, uuid, priority):
        with suppress(CorndogsError):  # else it is cancelled when it is taken
            called.cancel(OutsideTask(str(uuid), row.queue))


@transaction.atomic
def _accepted(row: Submission, uuid: UUID, priority: int) -> bool:
    """Whether this is the command's task outside from now on.

    It is not where the command was let in by an earlier call, or has ended, in the meantime.
    """
    now = Submission.objects.filter(pk=row.pk).lock().first()
    if now is None or now.corndogs_task_id is not None:
        return False
    Command.objects.filter(pk=row.pk).update(corndogs_task_id=uuid)
    now.corndogs_task_id, now.priority = uuid, priority
    if now.state == SubmissionState.WAITING:
        now.state, now.attempts, now.last_error = SubmissionState.SENT, 0, ""
        now.due_at = Now() + CHECK
    now.save()
    return True


def _check(called: Client, row: Submission) -> None:
    """Send again what is gone there; put back what is out of the queue, or has another priority.

    Its timeout while it waited takes it out, and so does a bridge that is killed before it notes
    what it took. One that is just being noted, or taken, only comes twice.
    """
    state = called.look(_outside(row))
    if state is None:
        _heard(row, timedelta(), state=SubmissionState.WAITING, corndogs_task_id=None)
        return
    priority = _priority(row)
    if state == WORKING or priority != row.priority:
        called.put_back(_outside(row), timeout=settings.DEFAULT_TIMEOUT, priority=priority)
    _heard(row, CHECK, priority=priority)


def _hold(called: Client, row: Submission) -> None:
    """Keep others from taking it; where it is gone, the command goes on without it."""
    if called.renew(_outside(row), timeout=LEASE_SECONDS, priority=_priority(row)):
        _heard(row, BEAT)
    else:
        _unchanged(row).delete()


def _complete(called: Client, row: Submission) -> None:
    if row.corndogs_task_id is not None:
        called.complete(_outside(row))
    _unchanged(row).delete()


def _cancel(called: Client, row: Submission) -> None:
    if row.corndogs_task_id is not None:
        called.cancel(_outside(row))
    _unchanged(row).delete()


STEPS: dict[SubmissionState, Callable[[Client, Submission], None]] = {
    SubmissionState.WAITING: _submit,
    SubmissionState.SENT: _check,
    SubmissionState.TAKEN: _hold,
    SubmissionState.COMPLETE: _complete,
    SubmissionState.CANCEL: _cancel,
}
