"""The slow way of a claim: several channels, keys, chains. One transaction of several statements.

Locks: the agent, then the chain it owns (both waiting), then what it picks. Whatever it picks
freely is taken only if nobody else has it, so no claim ever waits for another agent's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent, Protocol
from events import journal
from tasks.choosy import LINES, LOOK_AHEAD
from tasks.exceptions import ChainBusy
from tasks.fastlane import ALONE, FOR_SOME, IN_CHAIN, ORDER
from tasks.models import Channel, ClaimKey, Task
from tasks.signals import chain_changed, chain_wanted
from tasks.states import Status


@dataclass(frozen=True, slots=True)
class Claim:
    """What an agent asks for: the next tasks of some channels, and how long it may hold them."""

    agent_id: str
    channels: Sequence[UUID]
    max_tasks: int = 1
    lease_seconds: int | None = None
    key: str = ""
    protocol: Protocol = Protocol.PLAIN


@transaction.atomic
def claim(wish: Claim) -> list[Task]:
    """Give the agent the tasks it may have now, in order; none when there are none for it.

    A key that was answered before gets the same tasks, as they are now. A chain's task comes
    alone; the first in order decides. Taking a task elsewhere ends the ownership of a chain that
    does not bind the agent.
    """
    journal.attribute(actor=f"agent:{wish.agent_id}")
    agent = agents.enter(wish.agent_id, protocol=wish.protocol)
    chain_wanted.send(Task, agents=[agent.pk], chains=[], skip_locked=False)
    return pick(agent, wish)


def pick(agent: Agent, wish: Claim) -> list[Task]:
    """The second half of a claim, for an agent that is locked and so is the chain it owns."""
    if answered := _answered(wish):
        return answered
    wish = replace(wish, channels=Channel.objects.giving(wish.channels))
    if agent.draining or not wish.channels:
        return []
    if Task.objects.binding(agent.pk).exists():
        tasks = _bound_to(agent, wish.channels)
    else:
        tasks = _free_for(_within_capacity(wish, agent))
    if tasks and wish.key:
        ClaimKey.objects.update_or_create(
            agent_id=agent.pk, key=wish.key, defaults={"task_ids": [task.pk for task in tasks]}
        )
    return tasks and give(tasks, agent, wish.lease_seconds)


def _answered(wish: Claim) -> list[Task]:
    if not wish.key:
        return []
    known = ClaimKey.objects.filter(agent_id=wish.agent_id, key=wish.key).first()
    tasks = Task.objects.in_bulk(known.task_ids) if known else {}
    return [tasks[pk] for pk in (known.task_ids if known else []) if pk in tasks]


def _bound_to(agent: Agent, channels: Sequence[UUID]) -> list[Task]:
    ready = Task.objects.ready().binding(agent.pk).filter(channel__in=channels)
    return list(ready.in_order().select_for_update(no_key=True)[:1])


def _within_capacity(wish: Claim, agent: Agent) -> Claim:
    if agent.capacity is None:
        return wish
    room = agent.capacity - Task.objects.held_by(agent.pk).count()
    return replace(wish, max_tasks=max(0, min(wish.max_tasks, room)))


def _free_for(wish: Claim) -> list[Task]:
    passed: list[UUID] = []
    while wish.max_tasks and (heads := _heads(wish, passed, LOOK_AHEAD)):
        for task_id, chain_id in heads:
            tasks = _of_free_chain(task_id, chain_id) if chain_id else _alone(wish, passed)
            if tasks:
                return tasks
            passed.append(task_id)
    return []


def _heads(
    wish: Claim, passed: Sequence[UUID], limit: int, *, chains: bool = True
) -> list[tuple[UUID, UUID | None]]:
    """The first free tasks of several channels as one line: (id, chain id). Nothing is locked."""
    line = (
        f"SELECT chain_id, {ORDER.replace(' DESC', '')} FROM tasks_task"  # noqa: S608
        " WHERE channel_id = c.id AND {} AND id <> ALL (%(passed)s::uuid[])"
        f" ORDER BY {ORDER} LIMIT {limit:d}"
    )
    lines = [
        f"({line.format(ALONE)})",
        f"SELECT s.* FROM ({LINES.format(channel='c.id')}) r CROSS JOIN LATERAL"  # noqa: S608
        f" ({line.format(FOR_SOME + ' AND requirement_id = r.id')}) s",
        *([f"({line.format(IN_CHAIN)})"] if chains else []),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT h.id, h.chain_id FROM unnest(%(channels)s::uuid[]) AS c (id)"  # noqa: S608
            f" CROSS JOIN LATERAL ({' UNION ALL '.join(lines)}) h ORDER BY {ORDER} LIMIT {limit:d}",
            {"channels": list(wish.channels), "passed": list(passed), "agent": wish.agent_id},
        )
        heads: list[tuple[UUID, UUID | None]] = cursor.fetchall()
        return heads


def _alone(wish: Claim, passed: Sequence[UUID]) -> list[Task]:
    """Up to `max_tasks` tasks without a chain, those that nobody else is taking."""
    heads = _heads(wish, passed, wish.max_tasks + LOOK_AHEAD, chains=False)
    free = Task.objects.free().filter(pk__in=[task_id for task_id, _ in heads])
    return list(free.in_order().lock_unless_busy()[: wish.max_tasks])


def _of_free_chain(task_id: UUID, chain_id: UUID) -> list[Task]:
    """The task whose turn it is in an unowned chain, with its chain locked; none if busy.

    Waiting for the chain here would turn the order of locks round: its owner may wait for the task.
    """
    try:
        with transaction.atomic():
            task = list(Task.objects.free().filter(pk=task_id).lock_unless_busy())
            if task:
                chain_wanted.send(Task, agents=[], chains=[chain_id], skip_locked=True)
            return task
    except ChainBusy:
        return []


def forget_keys() -> int:
    """Forget the claims whose keys have been kept long enough; how many."""
    old = ClaimKey.objects.filter(created_at__lt=Now() - settings.CLAIM_KEYS_KEPT)
    return old.delete()[0]


def give(tasks: Sequence[Task], agent: Agent, lease_seconds: int | None) -> list[Task]:
    """Start a lease of locked, queued tasks for the agent; the tasks as they now are."""
    ids = [task.pk for task in tasks]
    Task.objects.filter(pk__in=ids).update(
        status=Status.IN_PROGRESS,
        agent=agent,
        last_holder=agent.pk,
        lease_epoch=F("lease_epoch") + 1,
        lease_seconds=lease_seconds,
        lease_expires_at=expiry(lease_seconds),
        claimed_at=Now(),
        updated_at=Now(),
    )
    chains = {task.chain_id for task in tasks if task.chain_id}
    chain_changed.send(Task, chains=chains, taken_by=agent)
    given = Task.objects.in_bulk(ids)
    return [given[pk] for pk in ids]


def expiry(lease_seconds: int | None) -> Combinable | None:
    """When a lease that starts now ends, by the database's clock; None when it has no end."""
    return None if lease_seconds is None else Now() + timedelta(seconds=lease_seconds)
