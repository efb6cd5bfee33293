"""Dead letters: jobs that failed for good, and their replay as new jobs."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from accounts import ownership
from accounts.callers import Caller
from collab.exceptions import AlreadyRetried, DeadLetterUnknown, IdempotencyConflict
from collab.models import DeadLetter
from collab.transitions import REPLAYED, digest_of_request, enqueue
from tasks import requirements
from tasks.models import Task


def newest(caller: Caller) -> QuerySet[DeadLetter]:
    """Those that wait for a person and that the caller may see, the latest first."""
    waiting = DeadLetter.objects.waiting().select_related("task__channel")
    return ownership.visible(waiting, caller, "task__user").order_by("-created_at", "-pk")


@transaction.atomic
def replay(letter_id: int, *, by: Caller) -> UUID:
    """Queue a dead letter's job once more, as a new one with all its attempts; the id of that.

    The old one stays as it is. Of two at once, the second waits for the first. Raises
    AlreadyRetried for one that was replayed before.
    """
    waiting = DeadLetter.objects.waiting().select_related("task__channel", "task__requirement")
    locked = waiting.select_for_update(of=("self",), no_key=True)
    letter = locked.filter(pk=letter_id).first()
    if letter is None:
        raise DeadLetterUnknown(f"There is no dead letter {letter_id}.")
    ownership.check(letter.task.user_id, by)
    if letter.retried_at is not None:
        raise AlreadyRetried(letter.retried_job_id)
    job_id = _queued_again(letter.task, by)
    DeadLetter.objects.filter(pk=letter_id).update(
        retried_at=Now(), retries=F("retries") + 1, retried_job=job_id
    )
    return job_id


def _queued_again(task: Task, by: Caller) -> UUID:
    again = Task(
        user_id=task.user_id,
        channel=task.channel,
        title=task.title,
        description=task.description,
        type=task.type,
        payload=task.payload,
        priority=task.priority,
        requirement=requirements.without_refusals(task.requirement),
        execution_mode=task.execution_mode,
        max_attempts=task.max_attempts,
        retry_delay_seconds=task.retry_delay_seconds,
        trace=task.trace,
    )
    digest = digest_of_request(task.type, task.channel, task.payload)
    try:
        with transaction.atomic():
            return enqueue(again, f"{REPLAYED}{task.pk}", digest, by=by)
    except IntegrityError:
        raise IdempotencyConflict(f"The key {REPLAYED}{task.pk} has been used already.") from None
