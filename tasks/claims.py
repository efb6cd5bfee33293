"""A claim: by the fast path where that applies, else by the transactional path.

The transactional path serves chains and claim keys, in one transaction of several statements. It
locks the agent, then the chain it owns (both waiting), then what it picks. It takes only what
nobody else is taking, so no claim ever waits for another agent's.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import fast_path, queue
from tasks.exceptions import ChainBusy
from tasks.fast_path import COLUMNS, MOST_HEADS, ClaimRequest, TaskRow, heads_for
from tasks.models import Channel, ClaimKey, Task
from tasks.queue import READY, Head
from tasks.signals import chain_changed, chain_wanted
from tasks.statements import Statement, raw, text_of

FORGOTTEN_AT_ONCE = 5_000


def claim(request: ClaimRequest) -> Sequence[TaskRow]:
    """Give the agent the tasks it may have now, in order; none when there are none for it."""
    result = fast_path.run(request.agent_id, request=request)
    if result and not result.overtaken:
        return result.tasks
    return claim_in_transaction(request)


@transaction.atomic
def claim_in_transaction(request: ClaimRequest) -> Sequence[TaskRow]:
    """Give the agent its tasks by the transactional path.

    A key that was answered before gets the same tasks, as they are now. A chain's task comes
    alone; the first in order decides. Taking a task elsewhere ends the ownership of a chain that
    does not bind the agent.
    """
    journal.attribute(actor=f"agent:{request.agent_id}")
    agent = agents.enter(request.agent_id, protocol=request.protocol)
    chain_wanted.send(Task, agents=[agent.pk], chains=[], skip_locked=False)
    return pick(agent, request)


def pick(agent: Agent, request: ClaimRequest) -> Sequence[TaskRow]:
    """The second half of a claim, for an agent that is locked and so is the chain it owns."""
    if answered := _answered(request):
        return answered
    ids = [] if agent.draining else _for_agent(agent, request)
    if not ids:
        return []
    if request.key:
        ClaimKey.objects.update_or_create(
            agent_id=agent.pk, key=request.key, defaults={"task_ids": ids}
        )
    return give(ids, agent, request.lease_seconds)


def _answered(request: ClaimRequest) -> list[TaskRow]:
    if not request.key:
        return []
    known = ClaimKey.objects.filter(agent_id=request.agent_id, key=request.key).first()
    return fast_path.rows(known.task_ids) if known else []


def _for_agent(agent: Agent, request: ClaimRequest) -> list[UUID]:
    """What is reserved for the agent, if anything is; else the first that it may have."""
    most = request.max_tasks
    if agent.capacity is not None:
        most = min(most, agent.capacity - Task.objects.held_by(agent.pk).count())
    if most <= 0:
        return []
    named = "ids" if request.ids else "names"
    values = {"agent": agent.pk, "channels": list(request.ids or request.names)}
    for task_id, is_ready in _bound(named).run(values):
        return [task_id] if is_ready else []
    channels = Channel.objects.giving(request.ids, request.names)
    return _free_for(agent.pk, channels, most) if channels else []


@cache
def _bound(named: str) -> Statement:
    """The task that binds the agent, and whether a claim from these channels gives it out now."""
    binding = Task.objects.binding(raw("%(agent)s")).values("id", "channel_id", ready=READY)[:1]
    return Statement.of(
        f"SELECT t.id, t.ready AND c.paused_at IS NULL AND {fast_path.NAMED[named]}"  # noqa: S608
        f" FROM ({text_of(binding)}) t JOIN tasks_channel c ON c.id = t.channel_id"
    )


def _free_for(agent_id: str, channels: Collection[UUID], most: int) -> list[UUID]:
    """The first task that nobody else is taking: of a chain alone, else up to `most`."""
    tried: set[UUID] = set()
    limit = heads_for(most)
    while limit <= MOST_HEADS:
        values = {"channels": list(channels), "agent": agent_id}
        heads = [Head(*row) for row in _heads(limit).run(values)]
        alone = [head.id for head in heads if head.chain_id is None]
        for head in heads:
            if head.id not in tried:
                ids = _of_free_chain(head) if head.chain_id else _alone(alone, most)
                if ids:
                    return ids
                tried.update([head.id] if head.chain_id else alone)
        if len(heads) < limit:
            break
        limit *= 4
    return []


@lru_cache(maxsize=128)
def _heads(limit: int) -> Statement:
    return Statement.of(queue.heads("(SELECT unnest(%(channels)s::uuid[]) AS id)", limit))


def _alone(ids: Sequence[UUID], most: int) -> list[UUID]:
    """Up to `most` of these tasks, those that nobody else is taking, locked."""
    free = Task.objects.free().filter(pk__in=ids).in_order().lock_unless_busy()
    return list(free.values_list("pk", flat=True)[:most])


def _of_free_chain(head: Head) -> list[UUID]:
    """The task whose turn it is in an unowned chain, with its chain locked; none if busy.

    Waiting for the chain here would turn the order of locks round: its owner may wait for the task.
    """
    try:
        with transaction.atomic():
            task = Task.objects.free().filter(pk=head.id).lock_unless_busy()
            ids = list(task.values_list("pk", flat=True))
            if ids:
                chain_wanted.send(Task, agents=[], chains=[head.chain_id], skip_locked=True)
            return ids
    except ChainBusy:
        return []


def forget_keys() -> int:
    """Forget the claims whose keys have been kept long enough, batch by batch; how many.

    A key that is in use just now is left for the next time.
    """
    old = ClaimKey.objects.filter(created_at__lt=Now() - settings.CLAIM_KEYS_KEPT)
    total = 0
    while True:
        with transaction.atomic():
            free = old.order_by("created_at").select_for_update(skip_locked=True)
            ids = list(free.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
            ClaimKey.objects.filter(pk__in=ids).delete()
        total += len(ids)
        if len(ids) < FORGOTTEN_AT_ONCE:
            return total


def give(ids: Sequence[UUID], agent: Agent, lease_seconds: int | None) -> Sequence[TaskRow]:
    """Start a lease of locked, queued tasks for the agent; the tasks as they now are."""
    values = {"ids": list(ids), "agent": agent.pk, "lease": lease_seconds}
    given = {row[0]: TaskRow(*row) for row in _give().run(values)}
    chains = {row.chain_id for row in given.values() if row.chain_id}
    chain_changed.send(Task, chains=chains, taken_by=agent)
    if any(row.reserved_for_id is None for row in given.values() if row.chain_id):
        return fast_path.rows(ids)  # the chain's owner has changed, and what is reserved with it
    return [given[pk] for pk in ids]


@cache
def _give() -> Statement:
    return Statement.of(
        f"{fast_path.start_lease()} WHERE tasks_task.id = ANY (%(ids)s::uuid[]) RETURNING {COLUMNS}"
    )


def expiry(lease_seconds: int | None) -> Combinable | None:
    """When a lease that starts now ends, by the database's clock; None when it has no end."""
    return None if lease_seconds is None else Now() + timedelta(seconds=lease_seconds)
