"""A claim: by the fast path where that applies, else by the transactional path.

The transactional path serves chains and claim keys, in one transaction of several statements. It
locks the agent, then the chain it owns (both waiting), then what it picks. It takes only what
nobody else is taking, so no claim ever waits for another agent's.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from itertools import takewhile
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import fast_path, queue, rows
from tasks.exceptions import NoTasks, NotReady
from tasks.fast_path import heads_for, steps_from
from tasks.models import Channel, ClaimKey, Task
from tasks.queue import READY, Head
from tasks.rows import COLUMNS, ClaimRequest, TaskRow
from tasks.signals import chain_changed, chain_wanted, claim_answered
from tasks.statements import Statement, raw, text_of
from tasks.states import Status

FORGOTTEN_AT_ONCE = 5_000
CHANNELS = "(SELECT unnest(%(channels)s::uuid[]) AS id)"


def claim(request: ClaimRequest) -> Sequence[TaskRow]:
    """Give the agent the tasks it may have now, in order; none when there are none for it."""
    begun = time.perf_counter()
    result = fast_path.run(request.agent_id, request=request)
    given = result.tasks if result and not result.overtaken else claim_in_transaction(request)
    claim_answered.send(Task, begun=begun, found=bool(given))
    return given


@transaction.atomic
def claim_in_transaction(request: ClaimRequest) -> Sequence[TaskRow]:
    """Give the agent its tasks by the transactional path.

    A key that was answered before gets those of the same tasks that the agent still holds; once it
    holds none, it is a new claim. A chain's task comes alone; the first in order decides. Taking a
    task elsewhere ends the ownership of a chain that does not bind the agent.
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
    given = give(ids, agent, request.lease_seconds)
    if request.key:
        answer = {
            "task_ids": [row.id for row in given],
            "epochs": [row.lease_epoch for row in given],
            "created_at": Now(),
        }
        ClaimKey.objects.update_or_create(agent_id=agent.pk, key=request.key, defaults=answer)
    return given


def _answered(request: ClaimRequest) -> list[TaskRow]:
    """What the agent still holds of the tasks that this key was answered with."""
    if not request.key:
        return []
    known = ClaimKey.objects.filter(agent_id=request.agent_id, key=request.key).first()
    if known is None:
        return []
    epochs = dict(zip(known.task_ids, known.epochs, strict=True))
    return [
        row
        for row in rows.read(known.task_ids)
        if row.status == Status.IN_PROGRESS
        and (row.agent_id, row.lease_epoch) == (request.agent_id, epochs[row.id])
    ]


def _for_agent(agent: Agent, request: ClaimRequest) -> list[UUID]:
    """What is reserved for the agent, if anything is; else the first that it may have."""
    most = request.max_tasks
    if agent.capacity is not None:
        most = min(most, agent.capacity - Task.objects.held_by(agent.pk).count())
    if most <= 0:
        return []
    named, prefix = "ids" if request.ids else "names", request.type_prefix
    values = {"agent": agent.pk, "channels": list(request.ids or request.names), "prefix": prefix}
    for task_id, is_ready in _bound(named).run(values):
        return [task_id] if is_ready else []
    channels = Channel.objects.giving(request.ids, request.names)
    if not channels:
        return []
    return _of_types(prefix, channels, most) if prefix else _free_for(agent.pk, channels, most)


@cache
def _bound(named: str) -> Statement:
    """The task that binds the agent, and whether a claim from these channels gives it out now."""
    of_agent = Task.objects.binding(raw("%(agent)s"))
    binding = of_agent.values("id", "channel_id", "type", ready=READY)[:1]
    return Statement.of(
        f"SELECT t.id, t.ready AND c.paused_at IS NULL AND {fast_path.NAMED[named]}"  # noqa: S608
        " AND starts_with(t.type, %(prefix)s::text)"
        f" FROM ({text_of(binding)}) t JOIN tasks_channel c ON c.id = t.channel_id"
    )


def _free_for(agent_id: str, channels: Collection[UUID], most: int) -> list[UUID]:
    """The first task that nobody else is taking: of a chain alone, else up to `most`.

    Others may have locked any number of tasks: those are walked over in a few statements, and no
    more than MOST_HEADS of them.
    """
    for limit in steps_from(heads_for(most)):
        values = {"channels": list(channels), "agent": agent_id}
        heads = [Head(*row) for row in _heads(limit).run(values)]
        if ids := _first_of(heads, most):
            first = next(head for head in heads if head.id == ids[0])
            filled = first.chain_id or len(ids) == most or len(heads) < limit
            return ids if filled else _filled(values, most)
        if len(heads) < limit:
            break
    return []


def _of_types(prefix: str, channels: Collection[UUID], most: int) -> list[UUID]:
    """Up to `most` tasks whose type begins so, those that nobody else is taking."""
    ids: list[UUID] = []
    values = {"channels": list(channels), "type_prefix": prefix}
    for limit in steps_from(heads_for(most)):
        heads = _heads_of_types(limit).run(values)
        ids = _alone([head[0] for head in heads], most)
        if len(ids) == most or len(heads) < limit:
            break
    return ids


@lru_cache(maxsize=16)
def _heads_of_types(limit: int) -> Statement:
    return Statement.of(queue.heads_of_types(CHANNELS, limit))


def _filled(values: Mapping[str, object], most: int) -> list[UUID]:
    """Up to `most` chainless tasks, some of which are locked already."""
    ids: list[UUID] = []
    for limit in steps_from(heads_for(most)):
        heads = _heads(limit, of_chains=0).run(values)
        ids = _alone([head[0] for head in heads], most)
        if len(ids) == most or len(heads) < limit:
            break
    return ids


@lru_cache(maxsize=128)
def _heads(limit: int, of_chains: int | None = None) -> Statement:
    return Statement.of(queue.heads(CHANNELS, limit, of_chains=of_chains))


def _first_of(heads: Sequence[Head], most: int) -> list[UUID]:
    """The first that nobody else is taking, locked: of a chain alone, else up to `most`."""
    alone = [head.id for head in heads if head.chain_id is None]
    before = list(takewhile(lambda head: head.chain_id is not None, heads))
    behind = [head for head in heads[len(before) :] if head.chain_id is not None]
    return _of_free_chain(before) or _alone(alone, most) or _of_free_chain(behind)


def _alone(ids: Sequence[UUID], most: int) -> list[UUID]:
    """Up to `most` of these tasks, those that nobody else is taking, locked."""
    return [row[0] for row in _lock_alone().run({"ids": ids, "most": most})] if ids else []


@cache
def _lock_alone() -> Statement:
    named = raw("tasks_task.id = ANY (%(ids)s::uuid[])", BooleanField())
    free = Task.objects.free().filter(named).in_order().lock_unless_busy()
    return Statement.of(f"{text_of(free.values('id'))} LIMIT %(most)s::int")


def _of_free_chain(heads: Sequence[Head]) -> list[UUID]:
    """The first of these tasks that nobody is taking, whose chain nobody has locked; both locked.

    Waiting for a chain here would turn the order of locks round: its owner may wait for the task.
    """
    if not heads:
        return []
    found = _lock_with_chain().run({"ids": [head.id for head in heads]})
    ids = [row[0] for row in found]
    if ids:
        chain_wanted.send(Task, agents=[], chains=[row[1] for row in found], skip_locked=True)
    return ids


@cache
def _lock_with_chain() -> Statement:
    return Statement.of(
        "SELECT t.id, c.id FROM tasks_task t JOIN chains_chain c ON c.id = t.chain_id"  # noqa: S608
        f" WHERE t.id = ANY (%(ids)s::uuid[]) AND t.free ORDER BY {queue.order_by('t')}"
        " LIMIT 1 FOR NO KEY UPDATE OF c, t SKIP LOCKED"
    )


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


@transaction.atomic
def claim_for(request: ClaimRequest, *, by: str, reason: str = "") -> TaskRow:
    """An operator's claim for an agent, which is not heard by it: the first task it may have.

    Raises NoTasks, and AgentLost for an agent from which the next pass would take it.
    """
    journal.attribute(actor=by, reason=reason)
    agent = agents.enter(request.agent_id, seen=False, protocol=request.protocol)
    agents.refuse_lost(agent)
    if agent.draining:
        raise NotReady(f"Agent {agent.pk!r} is draining.")
    chain_wanted.send(Task, agents=[agent.pk], chains=[], skip_locked=False)
    given = pick(agent, request)
    if not given:
        raise NoTasks("No task of this channel is ready for that agent.")
    return given[0]


def give(ids: Sequence[UUID], agent: Agent, lease_seconds: int | None) -> Sequence[TaskRow]:
    """Start a lease of locked, queued tasks for the agent; the tasks as they now are."""
    values = {"ids": list(ids), "agent": agent.pk, "lease": lease_seconds}
    given = {row[0]: TaskRow(*row) for row in _give().run(values)}
    chains = {row.chain_id for row in given.values() if row.chain_id}
    chain_changed.send(Task, chains=chains, taken_by=agent)
    if any(row.reserved_for_id is None for row in given.values() if row.chain_id):
        return rows.read(ids)  # the chain's owner has changed, and what is reserved with it
    return [given[pk] for pk in ids]


@cache
def _give() -> Statement:
    return Statement.of(
        f"{fast_path.start_lease()} WHERE tasks_task.id = ANY (%(ids)s::uuid[]) RETURNING {COLUMNS}"
    )


def expiry(lease_seconds: int | None) -> Combinable | None:
    """When a lease that starts now ends, by the database's clock; None when it has no end."""
    return None if lease_seconds is None else Now() + timedelta(seconds=lease_seconds)
