"""`settle` makes a chain right from its tasks and its owner, whatever happened to them.

Whose turn it is, which tasks are blocked or reserved, and the chain's status follow from the
statuses of its tasks, its owner and `on_failure`. Nothing else writes them.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from chains.models import Chain, ChainStatus, OnFailure
from tasks.models import Task
from tasks.states import Status


@dataclass(frozen=True, slots=True)
class Progress:
    """What settling a chain needs to know of its tasks."""

    active: Task | None
    first_queued: tuple[UUID, int] | None
    first_failed: int | None
    has_tasks: bool


def settle(chain: Chain) -> bool:
    """Make a locked chain right; whether a task got its turn by it.

    Idempotent, and a few rows are written however long the chain is. At most one task has its
    turn: the queued one of the smallest sequence, while none of the chain is in progress or locked
    and none before it failed in a chain that stops on failure.
    """
    progress = _progress(chain)
    turn = _turn(chain, progress)
    tasks = Task.objects.filter(chain=chain)
    others = tasks.with_turn().exclude(pk=turn) if turn else tasks.with_turn()
    others.update(blocked=True, reserved_for=None)
    if progress.active and progress.active.reserved_for_id != chain.owner_id:
        tasks.filter(pk=progress.active.pk).update(reserved_for=chain.owner_id)
    given = (
        tasks.filter(pk=turn)
        .filter(Q(blocked=True) | ~Q(reserved_for=chain.owner_id))
        .update(blocked=False, reserved_for=chain.owner_id)
        if turn
        else 0
    )
    status = _status(chain, progress)
    if status != chain.status:
        chain.status = status
        chain.updated_at = Now()
        chain.save(update_fields=["status", "updated_at"])
    return bool(given)


def _progress(chain: Chain) -> Progress:
    tasks = Task.objects.filter(chain=chain)
    queued = tasks.queued().order_by("sequence").values_list("pk", "sequence").first()
    return Progress(
        active=tasks.active().first(),
        first_queued=queued,
        first_failed=tasks.failed().order_by("sequence").values_list("sequence", flat=True).first(),
        has_tasks=tasks.exists(),
    )


def _turn(chain: Chain, progress: Progress) -> UUID | None:
    if progress.active or progress.first_queued is None:
        return None
    task_id, sequence = progress.first_queued
    failed = progress.first_failed
    if chain.on_failure == OnFailure.STOP and failed is not None and failed < sequence:
        return None
    return task_id


def _status(chain: Chain, progress: Progress) -> ChainStatus:
    active = progress.active
    if active and active.status == Status.LOCKED:
        return ChainStatus.LOCKED
    if progress.first_failed is not None:
        return ChainStatus.FAILED
    if active is None and progress.first_queued is None and progress.has_tasks:
        return ChainStatus.DONE
    if active or chain.owner_id:
        return ChainStatus.IN_PROGRESS
    return ChainStatus.QUEUED
