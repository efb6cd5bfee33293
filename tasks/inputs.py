"""Text and keys that people send to the agent of a task: sent once, taken once."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from events import journal
from tasks.exceptions import NoInputs, TaskUnknown
from tasks.models import Task, TaskInput


def send(
    task_id: UUID,
    agent_id: str,
    *,
    kind: str,
    text: str,
    send_enter: bool,
    idempotency_key: str,
    by: str,
) -> TaskInput:
    """Store an input for the agent; a repeated key returns the first input."""
    try:
        with transaction.atomic():
            journal.attribute(actor=by)
            if not Task.objects.filter(pk=task_id).exists():
                raise TaskUnknown(f"There is no task {task_id}.")
            sent = TaskInput.objects.create(
                task_id=task_id,
                agent_id=agent_id,
                kind=kind,
                text=text,
                send_enter=send_enter,
                idempotency_key=idempotency_key,
            )
            return TaskInput.objects.get(pk=sent.pk)
    except IntegrityError:
        return TaskInput.objects.get(task=task_id, idempotency_key=idempotency_key)


@transaction.atomic
def take(task_id: UUID, agent_id: str) -> TaskInput:
    """Take the oldest input for this task and agent that has not been taken. Raises NoInputs."""
    journal.attribute(actor=f"agent:{agent_id}")
    waiting = TaskInput.objects.filter(task=task_id, agent_id=agent_id, claimed_at=None)
    first = waiting.order_by("id").select_for_update(skip_locked=True).first()
    if first is None:
        raise NoInputs
    TaskInput.objects.filter(pk=first.pk).update(claimed_at=Now())
    return TaskInput.objects.get(pk=first.pk)
