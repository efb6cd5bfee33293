"""The verbs of chains: open, edit, delete, detach, release, unlock and assign.

A verb that changes the owner reads the old one, locks both agents, then the chains, and checks
the owner again (`lock_chain`); then it locks the chain's open tasks and settles the chain.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents import transitions as agents
from agents.exceptions import AgentDraining, AgentUnknown
from agents.models import Agent
from chains.exceptions import (
    ChainIdUnknown,
    ChainInUse,
    ChainUnknown,
    NotAssignable,
    NotOwner,
    NotSubscribed,
    StatusFollows,
)
from chains.models import Chain, OnFailure
from chains.querysets import ChainQuerySet
from chains.settle import settle
from events import journal
from problems import Problem
from problems.database import is_lock_timeout
from tasks import leases, ready
from tasks import transitions as tasks
from tasks.exceptions import BadBatch, ChainBusy, WrongStatus
from tasks.models import AttemptOutcome, Channel, Task
from tasks.states import Status

MOST_DETACHED = 10_000
"""Chains that one pass looks at."""


@transaction.atomic
def open_chain(
    channel: Channel,
    name: str,
    *,
    description: str = "",
    on_failure: OnFailure = OnFailure.CONTINUE,
    user_id: UUID | None = None,
    by: str,
) -> Chain:
    """Make a chain without tasks; it is of whom its channel is, or else of this user."""
    journal.attribute(actor=by)
    return Chain.objects.create(
        user_id=channel.user_id or user_id,
        channel=channel,
        name=name,
        description=description,
        on_failure=on_failure,
    )


@transaction.atomic
def enqueue(new: Sequence[Task], *, by: str) -> list[Task]:
    """Add tasks, with or without a chain; see `tasks.transitions.enqueue`.

    A chain's task is queued as if it was made when its chain was, in the chain's channel, and is of
    whom its chain is.
    """
    ids = {task.chain_id for task in new if task.chain_id}
    chains = {chain.pk: chain for chain in Chain.objects.filter(pk__in=ids).lock()}
    for task in new:
        if task.chain_id is None:
            continue
        chain = chains.get(task.chain_id)
        if chain is None:
            raise ChainIdUnknown("chain_id_not_found")
        if task.channel_id != chain.channel_id:
            raise BadBatch(f"Chain {chain.pk} is in another channel than the task.")
        task.queue_at = chain.created_at
        task.user_id = chain.user_id
    return tasks.enqueue(new, by=by)


@transaction.atomic
def edit(chain_id: UUID, changes: Mapping[str, str], *, by: str, reason: str = "") -> Chain:
    """Change name, description or `on_failure`; empty values change nothing.

    The status cannot be set: the present one is accepted, any other is refused.
    """
    journal.attribute(actor=by, reason=reason)
    chain = Chain.objects.filter(pk=chain_id).lock().first()
    if chain is None:
        raise ChainUnknown(f"There is no chain {chain_id}.")
    if changes.get("status", chain.status) not in {"", chain.status}:
        raise StatusFollows(f"The chain is {chain.status}; its status follows from its tasks.")
    chain.name = changes.get("name") or chain.name
    chain.description = changes.get("description") or chain.description
    chain.on_failure = changes.get("on_failure") or chain.on_failure
    chain.updated_at = Now()
    chain.save(update_fields=["name", "description", "on_failure", "updated_at"])
    _settle(chain)
    return Chain.objects.get(pk=chain_id)


@transaction.atomic
def delete(chain_id: UUID, *, by: str, reason: str = "", skip_locked: bool = False) -> None:
    """Delete a chain and its tasks, unless one of them is in progress or locked.

    `skip_locked`: raise ChainBusy where somebody else has locked it, its owner or a task.
    """
    journal.attribute(actor=by, reason=reason)
    chain = lock_chain(chain_id, skip_locked=skip_locked)
    if skip_locked:
        steps = Task.objects.filter(chain=chain)
        if len(steps.lock_to_delete().values_list("pk")) < steps.count():
            raise ChainBusy
    list(Task.objects.filter(chain=chain).open().lock().values_list("pk"))
    if Task.objects.filter(chain=chain).active().exists():
        raise ChainInUse("A task of the chain is in progress or locked.")
    chain.delete()


@transaction.atomic
def detach(
    chain_id: UUID,
    *,
    owner_id: str | None,
    by: str,
    outcome: AttemptOutcome = AttemptOutcome.DETACHED,
    reason: str = "detached",
    skip_locked: bool = False,
) -> Chain:
    """End the ownership of a chain; a task of it in progress is locked for a person to decide.

    `owner_id`: who must own it now (NotOwner otherwise); None accepts any owner. `skip_locked`:
    raise ChainBusy where somebody else has locked what it takes.
    """
    journal.attribute(actor=by, reason=reason)
    chain = lock_chain(chain_id, skip_locked=skip_locked)
    if owner_id is not None and chain.owner_id != owner_id:
        raise NotOwner(f"The chain is not owned by agent {owner_id!r}.")
    _lock_turn(chain, skip_locked=skip_locked)
    leases.lock_detached(chain.pk, outcome, reason)
    _hand_over(chain, None)
    ready.announce([chain.channel_id])
    return chain


@transaction.atomic
def release(chain_id: UUID, *, by: str, reason: str = "") -> Chain:
    """End the ownership of a chain without a task in progress: any agent may claim from it."""
    journal.attribute(actor=by, reason=reason)
    chain = lock_chain(chain_id)
    if chain.owner_id is None:
        raise NotOwner("No agent owns the chain.")
    _lock_turn(chain)
    if Task.objects.filter(chain=chain).in_progress().exists():
        raise ChainInUse(f"A task of the chain runs for agent {chain.owner_id!r}.")
    _hand_over(chain, None)
    ready.announce([chain.channel_id])
    return chain


@transaction.atomic
def unlock_all(chain_id: UUID, to: Status, *, by: str, reason: str = "") -> Chain:
    """Put the locked tasks of a chain back in the queue, or mark them done; there must be some."""
    journal.attribute(actor=by, reason=reason)
    chain = lock_chain(chain_id)
    locked = list(Task.objects.filter(chain=chain).locked().lock().values_list("pk", flat=True))
    if not locked:
        raise WrongStatus("No task of the chain is locked.")
    for task_id in locked:
        tasks.unlock(task_id, to, by=by, reason=reason)
    return Chain.objects.get(pk=chain_id)


@transaction.atomic
def assign_agent(chain_id: UUID, agent_id: str, *, by: str, reason: str = "") -> Chain:
    """Make an agent the owner of a chain; the chain it owned before is released.

    Refused while a task of the chain is in progress for another agent, or if the agent is bound to
    another chain, draining, lost, or not subscribed to the channel. Repeating it changes nothing.
    """
    journal.attribute(actor=by, reason=reason)
    chain = lock_chain(chain_id, new_owner=agent_id)
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    if chain.owner_id == agent.pk:
        return chain
    _refuse_owner(chain, agent)
    pass_ownership(agent, to=None)
    _lock_turn(chain)
    _hand_over(chain, agent)
    ready.announce([chain.channel_id])
    return chain


def refusal(chain: Chain, agent: Agent) -> Problem | None:
    """Why this agent cannot become the owner of the chain now."""
    try:
        _refuse_owner(chain, agent)
    except Problem as problem:
        return problem
    return None


def _refuse_owner(chain: Chain, agent: Agent) -> None:
    if not Agent.objects.subscribed_to(chain.channel.name).filter(pk=agent.pk).exists():
        raise NotSubscribed(f"Agent {agent.pk!r} is not subscribed to {chain.channel.name!r}.")
    if agent.draining:
        raise AgentDraining(f"Agent {agent.pk!r} is draining.")
    agents.refuse_lost(agent)
    if Task.objects.filter(chain=chain).in_progress().exists():
        raise NotAssignable(f"A task of the chain runs for agent {chain.owner_id!r}.")
    if Task.objects.binding(agent.pk).exists():
        raise NotAssignable(f"Agent {agent.pk!r} is bound to another chain.")


def pass_ownership(agent: Agent, *, to: UUID | None) -> None:
    """Make the agent the owner of chain `to`, or of none; the chain it owned before is released.

    The agent and both chains are locked. Both chains are settled.
    """
    taken: Chain | None = None
    for chain in Chain.objects.filter(Q(owner=agent) | Q(pk=to)):
        if chain.pk == to:
            taken = chain
        else:
            _hand_over(chain, None)
    if taken and taken.owner_id == agent.pk:
        settle(taken)
    elif taken:
        _hand_over(taken, agent)


def detach_lost(*, dry_run: bool = False) -> int:
    """Detach the chains of lost agents; returns how many."""
    chains = Chain.objects.of_lost_agents()
    return _detach_each(chains, AttemptOutcome.LOST, "agent lost", dry_run=dry_run)


def detach_expired(*, dry_run: bool = False) -> int:
    """Detach the chains with an expired lease; returns how many."""
    chains = Chain.objects.expired()
    return _detach_each(chains, AttemptOutcome.EXPIRED, "lease expired", dry_run=dry_run)


def _detach_each(
    chains: ChainQuerySet, outcome: AttemptOutcome, reason: str, *, dry_run: bool
) -> int:
    """Detach each in a transaction of its own, which a dry run rolls back.

    One that somebody else has locked, with its agent or its task, is left for the next time.
    """
    detached = 0
    for chain_id in list(chains.values_list("pk", flat=True)[:MOST_DETACHED]):
        try:
            with transaction.atomic():
                lock_chain(chain_id, skip_locked=True)
                if chains.filter(pk=chain_id).exists():
                    detach(
                        chain_id,
                        owner_id=None,
                        by="coordinator",
                        outcome=outcome,
                        reason=reason,
                        skip_locked=True,
                    )
                    detached += 1
                transaction.set_rollback(dry_run)
        except (ChainBusy, ChainUnknown):  # locked, or deleted meanwhile
            continue
        except OperationalError as problem:
            if not is_lock_timeout(problem):
                raise
    return detached


def _hand_over(chain: Chain, agent: Agent | None) -> None:
    chain.owner = agent
    chain.updated_at = Now()
    chain.save(update_fields=["owner", "updated_at"])
    settle(chain)
    chain.refresh_from_db()


def _settle(chain: Chain) -> None:
    if settle(chain):
        ready.announce([chain.channel_id])


class _OwnerChanged(Exception):
    """The owner changed between the read and the lock; the locks are released and taken again."""


def _lock_turn(chain: Chain, *, skip_locked: bool = False) -> None:
    """Lock the one open task of a locked chain that has the turn, runs, or is locked.

    Those behind it cannot change: whoever changes a task of a chain locks the chain first.
    """
    turn = Task.objects.filter(chain=chain, finished_at=None, blocked=False)
    locked = turn.lock_unless_busy() if skip_locked else turn.lock()
    if not list(locked.values_list("pk")) and skip_locked and turn.exists():
        raise ChainBusy


def lock_chain(chain_id: UUID, *, new_owner: str | None = None, skip_locked: bool = False) -> Chain:
    """Lock a chain, after its owner and its new owner, and with the chain that the new one owns.

    Call it inside a transaction. Raises ChainUnknown if the chain is gone, with `skip_locked`
    ChainBusy where somebody else has locked it or its owner.
    """
    while True:
        old = Chain.objects.filter(pk=chain_id).values_list("owner", flat=True).first()
        try:
            with transaction.atomic():
                wanted = {agent_id for agent_id in (old, new_owner) if agent_id}
                locked = agents.lock(wanted, skip_locked=skip_locked)
                if skip_locked and len(locked) < len(wanted):
                    raise ChainBusy
                return _lock_rows(chain_id, old, new_owner, skip_locked=skip_locked)
        except _OwnerChanged:
            continue


def _lock_rows(
    chain_id: UUID, old: str | None, new_owner: str | None, *, skip_locked: bool
) -> Chain:
    wanted = Q(pk=chain_id) | Q(owner=new_owner) if new_owner else Q(pk=chain_id)
    rows = Chain.objects.filter(wanted).lock(skip_locked=skip_locked)
    chain = {row.pk: row for row in rows}.get(chain_id)
    if chain is None:
        if skip_locked and Chain.objects.filter(pk=chain_id).exists():
            raise ChainBusy
        raise ChainUnknown(f"There is no chain {chain_id}.")
    if chain.owner_id not in {old, None}:
        raise _OwnerChanged
    return chain
