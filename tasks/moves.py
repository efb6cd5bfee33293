"""How operators take back what they did: a cancelled task waits again, a waiting one moves."""

from collections.abc import Callable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from events import journal
from tasks import ready, transitions
from tasks.exceptions import ChannelUnknown, NotMovable, TaskUnknown, TooLate, WrongStatus
from tasks.models import Channel, Task
from tasks.signals import restore_wanted
from tasks.states import RESTORE, Status

NOTICED: list[Callable[[], Q]] = [lambda: Q(agent__isnull=False)]
"""That somebody has noticed that a task was cancelled; rooms add theirs when they are loaded."""


def restorable() -> Q:
    """Cancelled tasks that nobody has noticed: those that `restore` takes."""
    noticed = Q()
    for condition in NOTICED:
        noticed |= condition()
    return Q(status=Status.CANCELLED) & ~noticed


@transaction.atomic
def restore(task_id: UUID, *, by: str, reason: str = "") -> Task:
    """Put a task that was cancelled while it waited back in the queue, at its place.

    Raises TooLate where somebody has noticed: an agent had it when it was cancelled, a task behind
    it in its chain has been claimed since, or its job has ended or was cancelled.
    """
    journal.attribute(actor=by, reason=reason)
    transitions.lock_chains([task_id], None)
    task = Task.objects.filter(pk=task_id).defer("payload", "result").first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    if task.status == Status.CANCELLED:
        restore_wanted.send(Task, task=task)
    task = transitions.locked(task_id)
    if task.status != Status.CANCELLED:
        raise WrongStatus(f"Task {task_id} is {task.status}; only a cancelled one is restored.")
    if not Task.objects.filter(restorable(), pk=task_id).exists():
        raise TooLate(
            f"Somebody has noticed that task {task_id} was cancelled: an agent that had it, or one"
            " that has begun what stands behind it."
        )
    return transitions.along(task, RESTORE)


@transaction.atomic
def move(task_id: UUID, channel_id: UUID, *, by: str, reason: str = "") -> Task:
    """Move a queued task of no chain and no job to another channel; its position is by its age.

    Repeating it changes nothing. Raises NotMovable where the channel is kept for tasks of jobs, is
    another user's, or has a task with the same idempotency key.
    """
    journal.attribute(actor=by, reason=reason)
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise ChannelUnknown(f"There is no channel {channel_id}.")
    task = transitions.locked(task_id)
    if task.status != Status.QUEUED:
        raise WrongStatus(f"Task {task_id} is {task.status}; only a queued one is moved.")
    if task.channel_id == channel.pk:
        return task
    _refuse(task, channel)
    try:
        with transaction.atomic():
            Task.objects.filter(pk=task_id).update(channel=channel, updated_at=Now())
    except IntegrityError as error:
        if transitions.violated(error) != "task_key_is_unique_in_its_channel":
            raise
        raise NotMovable(f"{channel.name!r} has a task with the same idempotency key.") from None
    ready.announce([channel.pk])
    return Task.objects.get(pk=task_id)


def _refuse(task: Task, channel: Channel) -> None:
    if task.chain_id or task.job_id:
        raise NotMovable(f"Task {task.pk} belongs to a chain or a job, which has its channel.")
    if channel.name.lower() in transitions.OF_NOBODY:
        raise NotMovable(f"{channel.name!r} is kept for the tasks of jobs.")
    if channel.user_id not in {None, task.user_id}:
        raise NotMovable(f"{channel.name!r} is another user's.")
