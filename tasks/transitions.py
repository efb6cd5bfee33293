"""The verbs of channels and tasks, except claims, reports, leases and moves: these have modules.

Each public function is one transaction: it locks the chain, locks the row, checks, changes it and
settles the chain. It returns the row as it is now, and raises a Problem if the change is refused.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

import psycopg
from django.contrib.postgres.functions import TransactionNow
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Coalesce, Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import claims, ready, requirements, rows, secrets
from tasks.exceptions import (
    BadBatch,
    ChannelExists,
    ChannelUnknown,
    NotReady,
    TaskUnknown,
    WrongStatus,
)
from tasks.models import Channel, Task
from tasks.rows import TaskRow
from tasks.signals import chain_changed, chain_wanted
from tasks.states import CANCEL, FINISHED, REQUEUE, UNLOCK, UNLOCK_TO_DONE, Edge, Status

BATCH = 200


OF_NOBODY: set[str] = set()
"""Names of channels that no user may have; rooms add theirs when they are loaded."""


def open_channel(
    name: str, *, description: str = "", user_id: UUID | None = None, by: str
) -> Channel:
    """Make a channel, of this user or of nobody; its name must be new."""
    if user_id is not None and name.lower() in OF_NOBODY:
        raise ChannelExists(f"The name {name!r} is kept for a channel of all.")
    try:
        with transaction.atomic():
            journal.attribute(actor=by)
            return Channel.objects.create(name=name, description=description, user_id=user_id)
    except IntegrityError:
        raise ChannelExists(f"There is a channel named {name!r}.") from None


@transaction.atomic
def pause_channel(channel_id: UUID, *, by: str, reason: str = "") -> Channel:
    """Stop claims from a channel until it is resumed; its tasks in progress go on.

    An operator may still assign its tasks. Pausing it again changes only the reason.
    """
    journal.attribute(actor=by, reason=reason)
    channel = _locked_channel(channel_id)
    Channel.objects.filter(pk=channel.pk).update(
        paused_at=Coalesce("paused_at", Now()), pause_reason=reason
    )
    return Channel.objects.get(pk=channel.pk)


@transaction.atomic
def resume_channel(channel_id: UUID, *, by: str, reason: str = "") -> Channel:
    """Allow claims from a paused channel again, and wake the claims that wait for it."""
    journal.attribute(actor=by, reason=reason)
    channel = _locked_channel(channel_id)
    Channel.objects.filter(pk=channel.pk).update(paused_at=None, pause_reason="")
    ready.announce([channel.pk])
    return Channel.objects.get(pk=channel.pk)


def _locked_channel(channel_id: UUID) -> Channel:
    channel = Channel.objects.filter(pk=channel_id).select_for_update(no_key=True).first()
    if channel is None:
        raise ChannelUnknown(f"There is no channel {channel_id}.")
    return channel


@transaction.atomic(savepoint=False)
def enqueue(tasks: Sequence[Task], *, by: str) -> list[Task]:
    """Add all tasks or none to the queue, in the order given, in a chain by their sequence.

    A task whose idempotency key is known in its channel is not made again: the list returned has
    the first one instead. A sequence that is not given is the chain's highest plus one.
    """
    journal.attribute(actor=by)
    chains = sorted({task.chain_id for task in tasks if task.chain_id})
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    new = _insert(tasks, chains)
    chain_changed.send(Task, chains=chains, taken_by=None)
    ready.announce(task.channel_id for task in new)
    return _as_stored(tasks)


def _insert(tasks: Sequence[Task], chains: Sequence[UUID]) -> list[Task]:
    """Insert the tasks whose key is new, those with a key first and by key: so no deadlock."""
    while True:
        new = _without_known(tasks)
        _number(new, chains)
        for task in new:
            task.blocked = task.chain_id is not None
            task.postponed = not isinstance(task.available_at, DatabaseDefault)
            if task.chain_id is None:
                task.queue_at = TransactionNow()  # the same for all, so that their ids decide
        new.sort(key=lambda task: (not task.idempotency_key, _key(task), task.pk))
        keyed = any(task.idempotency_key for task in new)
        try:
            with transaction.atomic(savepoint=keyed):
                Task.objects.bulk_create(new, batch_size=BATCH)
        except IntegrityError as error:
            if violated(error) != "task_key_is_unique_in_its_channel":
                raise BadBatch("A sequence is taken already in its chain.") from None
        else:
            return new


def violated(error: IntegrityError) -> str | None:
    """The name of the constraint that was violated."""
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None


def _key(task: Task) -> tuple[UUID, str]:
    return task.channel_id, task.idempotency_key


def _known(tasks: Sequence[Task]) -> dict[tuple[UUID, str], Task]:
    keys = {task.idempotency_key for task in tasks if task.idempotency_key}
    channels = {task.channel_id for task in tasks}
    found = Task.objects.filter(channel__in=channels, idempotency_key__in=keys) if keys else []
    return {_key(task): task for task in found}


def _without_known(tasks: Sequence[Task]) -> list[Task]:
    known = _known(tasks)
    new: dict[object, Task] = {}
    for task in tasks:
        if not task.idempotency_key:
            new[task.pk] = task
        elif _key(task) not in known:
            new.setdefault(_key(task), task)
    return list(new.values())


def _as_stored(tasks: Sequence[Task]) -> list[Task]:
    known = _known(tasks)
    stored = Task.objects.in_bulk([task.pk for task in tasks])
    return [stored.get(task.pk) or known[_key(task)] for task in tasks]


def _number(tasks: Sequence[Task], chains: Sequence[UUID]) -> None:
    """Give each task of a chain its sequence. The chains are locked, so no number is used twice."""
    highest = dict(
        Task.objects.filter(chain__in=chains)
        .order_by()
        .values_list("chain")
        .annotate(highest=Max("sequence"))
    )
    for task in tasks:
        if task.chain_id is None:
            task.sequence = 0
            continue
        task.sequence = task.sequence or highest.get(task.chain_id, 0) + 1
        highest[task.chain_id] = max(task.sequence, highest.get(task.chain_id, 0))


@transaction.atomic
def assign(task_id: UUID, agent_id: str, *, by: str, reason: str = "") -> TaskRow:
    """Give a queued task to a named agent. Turn, lock and ownership count as in a claim.

    A lost agent is refused. Repeating it changes nothing. An unknown agent is registered. A paused
    channel is no obstacle.
    """
    journal.attribute(actor=by, reason=reason)
    agent = agents.enter(agent_id, seen=False)
    task = locked(task_id, owner=agent)
    if task.status == Status.IN_PROGRESS and task.agent_id == agent.pk:
        return rows.read([task.pk])[0]
    _refuse_assignment(task, agent)
    given = claims.give([task.pk], agent, lease_seconds=None)[0]
    ready.announce([task.channel_id])
    return given


def _refuse_assignment(task: Task, agent: Agent) -> None:
    if task.status != Status.QUEUED:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    if agent.draining:
        raise NotReady(f"Agent {agent.pk!r} is draining.")
    agents.refuse_lost(agent)
    if task.blocked:
        raise NotReady(f"It is not the turn of task {task.pk} in its chain.")
    if task.reserved_for_id not in {None, agent.pk}:
        raise NotReady(f"The chain of task {task.pk} is owned by agent {task.reserved_for_id!r}.")
    if task.postponed:
        raise NotReady(f"Task {task.pk} is not to be started before {task.available_at}.")
    if Task.objects.binding(agent.pk).exclude(pk=task.pk).exists():
        raise NotReady(f"Agent {agent.pk!r} is bound to another chain.")
    if is_full(agent):
        raise NotReady(f"Agent {agent.pk!r} holds as many tasks as its capacity allows.")
    if secrets.are_of_another(task, agent):
        raise NotReady(f"Task {task.pk} has secrets of another user than agent {agent.pk!r} is of.")


def is_full(agent: Agent) -> bool:
    """Whether the agent holds as many tasks as it takes at once."""
    held = Task.objects.held_by(agent.pk)
    return agent.capacity is not None and held.count() >= agent.capacity


@transaction.atomic
def unlock(task_id: UUID, to: Status, *, by: str, reason: str = "") -> Task:
    """Put a locked task back in the queue, or mark it done."""
    journal.attribute(actor=by, reason=reason)
    task = locked(task_id)
    if task.status != Status.LOCKED or to not in {Status.QUEUED, Status.DONE}:
        raise WrongStatus(f"Task {task.pk} is {task.status}; only a locked one is unlocked.")
    return along(task, UNLOCK if to == Status.QUEUED else UNLOCK_TO_DONE)


@transaction.atomic
def requeue(task_id: UUID, *, by: str, reason: str = "") -> Task:
    """Put a failed task back in the queue with all its attempts."""
    journal.attribute(actor=by, reason=reason)
    task = locked(task_id)
    if task.status != Status.FAILED:
        raise WrongStatus(f"Task {task.pk} is {task.status}; only a failed one is requeued.")
    return along(task, REQUEUE, requirement=requirements.without_refusals(task.requirement))


@transaction.atomic
def cancel(task_id: UUID, *, by: str, reason: str = "", force: bool = False) -> Task:
    """Cancel a task that waits, or ask its agent to stop; with `force` take the task away.

    An agent that was asked can still complete the task; any other end cancels it. Repeating it
    changes nothing.
    """
    journal.attribute(actor=by, reason=reason)
    task = locked(task_id)
    if task.status == Status.CANCELLED:
        return task
    if task.status in FINISHED:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    if task.status != Status.IN_PROGRESS or force:
        return along(task, CANCEL)
    if task.cancel_asked_at is None:
        Task.objects.filter(pk=task.pk).update(cancel_asked_at=Now(), updated_at=Now())
        journal.record(
            "task.cancel_asked",
            agent_id=task.agent_id,
            task_id=str(task.pk),
            chain_id=task.chain_id,
            channel_id=task.channel_id,
        )
    return Task.objects.get(pk=task.pk)


@transaction.atomic
def prioritize(task_id: UUID, priority: int, *, by: str, reason: str = "") -> Task:
    """Give a queued task another priority, which moves it in the queue.

    The order of a chain stays: there the priority counts once the task has the turn.
    """
    journal.attribute(actor=by, reason=reason)
    task = locked(task_id)
    if task.status != Status.QUEUED:
        raise WrongStatus(f"Task {task.pk} is {task.status}; only a queued one is prioritized.")
    Task.objects.filter(pk=task.pk).update(priority=priority, updated_at=Now())
    return Task.objects.get(pk=task.pk)


@transaction.atomic
def admit(task_id: UUID, *, by: str, reason: str = "") -> None:
    """Let claims have a task that was held back, from now on behind those that wait already.

    Repeating it changes nothing.
    """
    journal.attribute(actor=by, reason=reason)
    held = Task.objects.filter(pk=task_id, assign_only=True)
    lock([task_id])
    if held.queued().update(assign_only=False, queue_at=Now(), updated_at=Now()):
        channels = Task.objects.filter(pk=task_id).values_list("channel", flat=True)
        ready.announce(channels)
        journal.record("task.admitted", task_id=str(task_id), channel_id=channels.get())
    else:
        held.update(assign_only=False)


def lock(task_ids: Collection[UUID], *, owner: Agent | None = None) -> None:
    """Lock the tasks until the transaction ends, after their chains and the one `owner` owns."""
    lock_chains(task_ids, owner)
    list(Task.objects.filter(pk__in=task_ids).lock().values_list("pk"))


def lock_chains(task_ids: Collection[UUID], owner: Agent | None) -> None:
    chains = Task.objects.chains_of(task_ids)
    if chains or owner:
        agents_ = [owner.pk] if owner else []
        chain_wanted.send(Task, agents=agents_, chains=chains, skip_locked=False)


def locked(task_id: UUID, *, owner: Agent | None = None) -> Task:
    """Lock the task, after its chain and the chain that `owner` owns."""
    lock_chains([task_id], owner)
    task = Task.objects.filter(pk=task_id).lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    return task


def along(task: Task, edge: Edge, **more: object) -> Task:
    """Take the locked task along an edge, and settle its chain."""
    if task.status not in edge.sources:
        raise WrongStatus(f"Task {task.pk} is {task.status}, so it cannot become {edge.target}.")
    Task.objects.filter(pk=task.pk).update(**edge(**more))
    if task.chain_id:
        chain_changed.send(Task, chains=[task.chain_id], taken_by=None)
    ready.announce([task.channel_id])
    return Task.objects.get(pk=task.pk)
