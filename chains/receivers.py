"""Locks and settles chains when `tasks` sends its signals (tasks/signals.py)."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver

from agents.models import Agent
from chains import transitions
from chains.models import Chain
from chains.settle import settle_each
from tasks import moves
from tasks.exceptions import ChainBusy
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.signals import agent_restarted, chain_changed, chain_wanted
from tasks.states import Status

OVERLAP = timedelta(seconds=1)
"""A claim that has begun before a task was cancelled may have followed from that."""


@receiver(chain_wanted)
def lock_chains(
    agents: Collection[str], chains: Collection[UUID], skip_locked: bool, **kwargs: object
) -> None:
    wanted = Chain.objects.filter(Q(pk__in=chains) | Q(owner__in=agents))
    locked = list(wanted.lock(skip_locked=skip_locked).values_list("pk"))
    if len(locked) < len(chains) and skip_locked:
        raise ChainBusy


@receiver(agent_restarted)
def detach_from_its_past(agent_id: str, reason: str, **kwargs: object) -> None:
    by, outcome = f"agent:{agent_id}", AttemptOutcome.RELEASED
    for chain_id in list(Chain.objects.owned_by(agent_id).values_list("pk", flat=True)):
        transitions.detach(chain_id, owner_id=None, by=by, outcome=outcome, reason=reason)


@receiver(chain_changed)
def follow_tasks(chains: Collection[UUID], taken_by: Agent | None, **kwargs: object) -> None:
    if taken_by:
        transitions.pass_ownership(taken_by, to=next(iter(chains), None))
    else:
        settle_each(chains)


def _has_gone_on() -> Q:
    """The order of a chain is strict: what has begun behind a task followed from its end."""
    since = OuterRef("finished_at") - OVERLAP
    behind = Task.objects.order_by().filter(
        chain=OuterRef("chain"), sequence__gt=OuterRef("sequence")
    )
    attempts = Attempt.objects.order_by().filter(
        task__chain=OuterRef("chain"),
        task__sequence__gt=OuterRef("sequence"),
        started_at__gte=since,
    )
    begun = behind.filter(
        Q(status__in=[Status.IN_PROGRESS, Status.LOCKED]) | Q(claimed_at__gte=since)
    )
    return Q(chain__isnull=False) & (Q(Exists(begun)) | Q(Exists(attempts)))


moves.NOTICED.append(_has_gone_on)
