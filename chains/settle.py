"""`settle` makes a chain right from its tasks and its owner, after every change of them.

Whose turn it is, which tasks are blocked or reserved, and the chain's status follow from the
statuses of its tasks, its owner and `on_failure`. Nothing else writes them.
"""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.db.models.functions import Now

from chains.models import Chain, ChainStatus, OnFailure
from tasks.models import Task
from tasks.statements import Statement, raw, text_of
from tasks.states import FINISHED, Status


class Step(NamedTuple):
    """The columns of a task that settling its chain needs."""

    id: UUID
    sequence: int
    status: str
    blocked: bool
    reserved_for_id: str | None

    @property
    def is_active(self) -> bool:
        return self.status in {Status.IN_PROGRESS, Status.LOCKED}

    @property
    def has_turn(self) -> bool:
        return self.status == Status.QUEUED and not self.blocked


def settle(chain: Chain) -> bool:
    """Make a locked chain right; returns whether a task got the turn.

    Idempotent. Reads and writes a few rows, however long the chain is. At most one task has the
    turn: the queued one of the smallest sequence, while none of the chain is in progress or locked
    and, in a chain that stops on failure, none before it has failed.
    """
    steps = _deciding(chain)
    turn = _turn(chain, steps)
    tasks = Task.objects.filter(chain=chain)
    if any(step.has_turn and step != turn for step in steps):
        others = tasks.with_turn().exclude(pk=turn.id) if turn else tasks.with_turn()
        others.update(blocked=True, reserved_for=None)
    kept = [step for step in steps if step.is_active or step == turn]
    wrong = [step.id for step in kept if step.blocked or step.reserved_for_id != chain.owner_id]
    if wrong:
        tasks.filter(pk__in=wrong).update(blocked=False, reserved_for=chain.owner_id)
    status = _status(chain, steps)
    if status != chain.status:
        chain.status = status
        chain.updated_at = Now()
        chain.save(update_fields=["status", "updated_at"])
    return turn is not None and turn.id in wrong


def settle_each(chains: Collection[UUID]) -> None:
    """Settle these locked chains."""
    for chain in Chain.objects.filter(pk__in=chains).order_by("pk") if chains else ():
        settle(chain)


def _deciding(chain: Chain) -> list[Step]:
    """The few steps that decide everything, in order: those active, and the first of each kind."""
    steps = {Step(*row) for row in _deciding_statement().run({"chain": chain.pk})}
    return sorted(steps, key=lambda step: step.sequence)


@cache
def _deciding_statement() -> Statement:
    steps = Task.objects.filter(chain=raw("%(chain)s::uuid")).order_by("sequence")
    not_blocked = steps.filter(finished_at=None, blocked=False)  # by a constraint one at most
    firsts = [
        text_of(some.values(*Step._fields)[:1])
        for some in (steps.queued(), not_blocked, steps.failed(), steps)
    ]
    return Statement.of(" UNION ALL ".join(f"({first})" for first in firsts))


def _turn(chain: Chain, steps: Collection[Step]) -> Step | None:
    if any(step.is_active for step in steps):
        return None
    for step in steps:
        if step.status == Status.QUEUED:
            return step
        if step.status == Status.FAILED and chain.on_failure == OnFailure.STOP:
            return None
    return None


def _status(chain: Chain, steps: Collection[Step]) -> ChainStatus:
    statuses = {step.status for step in steps}
    if Status.LOCKED in statuses:
        return ChainStatus.LOCKED
    if Status.FAILED in statuses:
        return ChainStatus.FAILED
    if statuses and statuses <= FINISHED:
        return ChainStatus.DONE
    if Status.IN_PROGRESS in statuses or chain.owner_id:
        return ChainStatus.IN_PROGRESS
    return ChainStatus.QUEUED
