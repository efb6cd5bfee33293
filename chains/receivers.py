"""Locks and settles chains when `tasks` sends its signals (tasks/signals.py)."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q
from django.dispatch import receiver

from agents.models import Agent
from chains import transitions
from chains.models import Chain
from chains.settle import settle_each
from tasks.exceptions import ChainBusy
from tasks.models import AttemptOutcome
from tasks.signals import agent_restarted, chain_changed, chain_wanted


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
