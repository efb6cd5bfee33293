"""Every way a task comes to be and changes status, but claims and reports (modules beside this).

Each public function is one transaction: lock the chain, lock the row, check, change, settle the
chain. It returns the task as it now is and raises a Problem when the change is not allowed.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg
from django.conf import settings
from django.contrib.postgres.functions import TransactionNow
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import claims, ready
from tasks.exceptions import (
    BadBatch,
    ChannelExists,
    LeaseLost,
    NotHolder,
    NotReady,
    TaskUnknown,
    WrongStatus,
)
from tasks.models import Attempt, AttemptOutcome, Channel, Task
from tasks.signals import chain_changed, chain_wanted
from tasks.states import ALLOWED, FINISHED, Status

BATCH = 200


def open_channel(name: str, *, description: str = "", by: str) -> Channel:
    """Make a channel; its name must be new."""
    try:
        with transaction.atomic():
            journal.attribute(actor=by)
            return Channel.objects.create(name=name, description=description)
    except IntegrityError:
        raise ChannelExists(f"There is a channel named {name!r}.") from None


@transaction.atomic
def enqueue(tasks: Sequence[Task], *, by: str) -> list[Task]:
    """Add tasks, all or none, in the order given; those with a chain in the order of its sequence.

    A task whose idempotency key its channel knows is not made again: the one made first stands in
    its place in the answer. A sequence that is not given is the chain's highest plus one.
    """
    journal.attribute(actor=by)
    chains = sorted({task.chain_id for task in tasks if task.chain_id})
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    new = _insert(tasks, chains)
    chain_changed.send(Task, chains=chains, taken_by=None)
    ready.announce(task.channel_id for task in new)
    return _as_stored(tasks)


def _insert(tasks: Sequence[Task], chains: Sequence[UUID]) -> list[Task]:
    """Insert those whose key is new, first those with a key, by key: so batches never cross."""
    while True:
        new = _without_known(tasks)
        _number(new, chains)
        for task in new:
            task.blocked = task.chain_id is not None
            if task.chain_id is None:
                task.queue_at = TransactionNow()  # one place in line for all: then their ids decide
        new.sort(key=lambda task: (not task.idempotency_key, _key(task), task.pk))
        try:
            with transaction.atomic():
                Task.objects.bulk_create(new, batch_size=BATCH)
        except IntegrityError as error:
            if violated(error) != "task_key_is_unique_in_its_channel":
                raise BadBatch("A sequence is taken already in its chain.") from None
        else:
            return new


def violated(error: IntegrityError) -> str | None:
    """The name of the constraint that the database saw broken."""
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
    """Give each task of a chain its sequence. The chains are locked, so the numbers stay free."""
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
def assign(task_id: UUID, agent_id: str, *, by: str) -> Task:
    """Give a queued task to a named agent. Order, locks and ownership hold as for a claim.

    The same again changes nothing. An agent never heard of is registered.
    """
    journal.attribute(actor=by)
    agent = agents.enter(agent_id, seen=False)
    task = _locked(task_id, owner=agent)
    if task.status == Status.IN_PROGRESS and task.agent_id == agent.pk:
        return task
    _refuse_assignment(task, agent)
    given = claims.give([task], agent, lease_seconds=None)[0]
    ready.announce([task.channel_id])
    return given


def _refuse_assignment(task: Task, agent: Agent) -> None:
    if task.status != Status.QUEUED:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    if agent.draining:
        raise NotReady(f"Agent {agent.pk!r} is draining.")
    if task.blocked:
        raise NotReady(f"It is not the turn of task {task.pk} in its chain.")
    if task.reserved_for_id not in {None, agent.pk}:
        raise NotReady(f"The chain of task {task.pk} is owned by agent {task.reserved_for_id!r}.")
    if not Task.objects.filter(pk=task.pk, available_at__lte=Now()).exists():
        raise NotReady(f"Task {task.pk} is not to be started before {task.available_at}.")
    if Task.objects.binding(agent.pk).exclude(pk=task.pk).exists():
        raise NotReady(f"Agent {agent.pk!r} is bound to another chain.")


@transaction.atomic
def unlock(task_id: UUID, to: Status, *, by: str, reason: str = "") -> Task:
    """Put a locked task back in the queue, for whoever may have it, or call it done."""
    journal.attribute(actor=by, reason=reason)
    task = _locked(task_id)
    if task.status != Status.LOCKED or to not in {Status.QUEUED, Status.DONE}:
        raise WrongStatus(f"Task {task.pk} is {task.status}; only a locked one is unlocked.")
    return _moved(task, to)


@transaction.atomic
def requeue(task_id: UUID, *, by: str, reason: str = "") -> Task:
    """Give a failed task another chance, with all its attempts."""
    journal.attribute(actor=by, reason=reason)
    task = _locked(task_id)
    if task.status != Status.FAILED:
        raise WrongStatus(f"Task {task.pk} is {task.status}; only a failed one is requeued.")
    task.attempts = task.losses = 0
    return _moved(task, Status.QUEUED)


@transaction.atomic
def cancel(task_id: UUID, *, by: str, reason: str = "") -> Task:
    """Cancel a task that waits, or ask the agent that runs it to stop; asked twice, take it away.

    Only the agent's completion still wins over a cancellation that was asked for.
    """
    journal.attribute(actor=by, reason=reason)
    task = _locked(task_id)
    if task.status == Status.CANCELLED:
        return task
    if task.status in FINISHED:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    if task.status == Status.IN_PROGRESS and task.cancel_asked_at is None:
        Task.objects.filter(pk=task.pk).update(cancel_asked_at=Now(), updated_at=Now())
        journal.record(
            "task.cancel_asked",
            agent_id=task.agent_id,
            task_id=str(task.pk),
            chain_id=task.chain_id,
            channel_id=task.channel_id,
        )
        return Task.objects.get(pk=task.pk)
    return _moved(task, Status.CANCELLED)


@transaction.atomic
def renew(
    task_id: UUID, *, agent_id: str, epoch: int | None = None, lease_seconds: int | None = None
) -> Task:
    """Start the lease of a held task anew, by its own length or a new one; renews presence too."""
    agents.hear(agent_id)
    task = Task.objects.filter(pk=task_id).lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    if task.status != Status.IN_PROGRESS or task.agent_id != agent_id:
        raise NotHolder(f"Task {task_id} is not held by agent {agent_id!r}.")
    if epoch not in {None, task.lease_epoch}:
        raise LeaseLost(f"Task {task_id} is at lease epoch {task.lease_epoch}, not {epoch}.")
    seconds = lease_seconds or task.lease_seconds
    Task.objects.filter(pk=task.pk).update(
        lease_seconds=seconds, lease_expires_at=claims.expiry(seconds)
    )
    return Task.objects.get(pk=task_id)


def renew_listed(agent_id: str, epochs: dict[UUID, int | None]) -> set[UUID]:
    """Renew those of these tasks that the agent holds; their ids. Inside the heartbeat."""
    tasks = Task.objects.held_by(agent_id).filter(pk__in=epochs).lock()
    held = [task for task in tasks if epochs[task.pk] in {None, task.lease_epoch}]
    for seconds in {task.lease_seconds for task in held if task.lease_seconds}:
        Task.objects.filter(
            pk__in=[task.pk for task in held if task.lease_seconds == seconds]
        ).update(lease_expires_at=claims.expiry(seconds))
    return {task.pk for task in held}


def expire_leases() -> int:
    """Take back chainless tasks whose lease ran out, an attempt used; how many.

    A report that lands in between wins: rows that somebody is changing are left for the next pass.
    """
    return _batch_by_batch(_expire_batch)


def _batch_by_batch(take: Callable[[], int]) -> int:
    total = taken = take()
    while taken == BATCH:
        total += (taken := take())
    return total


def _expire_batch() -> int:
    with transaction.atomic():
        journal.attribute(actor="coordinator", reason="lease expired")
        tasks = list(
            Task.objects.expired()
            .filter(chain=None)
            .order_by("lease_expires_at")
            .lock_unless_busy()[:BATCH]
        )
        give_back(tasks, AttemptOutcome.EXPIRED, "lease expired")
    return len(tasks)


def release_lost() -> int:
    """Take back the chainless tasks of lost agents, no attempt used; how many."""
    return _batch_by_batch(_release_batch)


def _release_batch() -> int:
    with transaction.atomic():
        journal.attribute(actor="coordinator", reason="agent lost")
        holders = Agent.objects.lost().filter(
            tasks__in=Task.objects.in_progress().filter(chain=None)
        )
        lost = list(
            Agent.objects.lost()
            .filter(pk__in=holders.values("pk")[:BATCH])
            .order_by("pk")
            .select_for_update(no_key=True, skip_locked=True)
        )
        tasks = list(
            Task.objects.in_progress()
            .filter(chain=None, agent__in=[agent.pk for agent in lost])
            .order_by("id")
            .lock_unless_busy()[:BATCH]
        )
        give_back(tasks, AttemptOutcome.LOST, "agent lost")
    return len(tasks)


def give_back(tasks: Sequence[Task], outcome: AttemptOutcome, reason: str) -> None:
    """End the holds of locked chainless tasks that did not end by a report.

    An asked cancellation takes effect; else the task is tried again while it may be.
    """
    Attempt.objects.bulk_create(bad_attempt(task, outcome, reason) for task in tasks)
    used = outcome == AttemptOutcome.EXPIRED
    again = Q(attempts__lt=F("max_attempts") - 1) if used else Q(losses__lt=settings.MAX_LOSSES - 1)
    for status, which in (
        (Status.CANCELLED, Q(cancel_asked_at__isnull=False)),
        (Status.QUEUED, Q(cancel_asked_at=None) & again),
        (Status.FAILED, Q(cancel_asked_at=None) & ~again),
    ):
        ended = status in FINISHED
        Task.objects.in_progress().filter(which, pk__in=[task.pk for task in tasks]).update(
            status=status,
            agent=F("agent") if ended else None,
            claimed_at=F("claimed_at") if ended else None,
            finished_at=Now() if ended else None,
            fail_reason=reason,
            attempts=F("attempts") + int(used),
            losses=0 if used else F("losses") + 1,
            lease_expires_at=None,
            available_at=F("available_at") if ended else Now(),
            updated_at=Now(),
        )
    ready.announce(task.channel_id for task in tasks)


def lock_up(tasks: Sequence[Task], outcome: AttemptOutcome, reason: str) -> None:
    """End the holds of a detached chain's locked rows: what ran waits for a person, or ends.

    Called with the chain locked; its settling is the caller's.
    """
    running = [task for task in tasks if task.status == Status.IN_PROGRESS]
    Attempt.objects.bulk_create(bad_attempt(task, outcome, reason) for task in running)
    for task in running:
        cancelled = task.cancel_asked_at is not None
        task.status = Status.CANCELLED if cancelled else Status.LOCKED
        task.finished_at = Now() if cancelled else None
        task.reserved_for = None
        task.lease_expires_at = None
        task.fail_reason = reason
        task.attempts += outcome == AttemptOutcome.EXPIRED
        task.updated_at = Now()
        task.save()


def bad_attempt(task: Task, outcome: AttemptOutcome, reason: str) -> Attempt:
    return Attempt(
        task=task,
        epoch=task.lease_epoch,
        agent_id=task.last_holder,
        outcome=outcome,
        reason=reason,
        started_at=task.claimed_at,
    )


def _locked(task_id: UUID, *, owner: Agent | None = None) -> Task:
    """The task, locked after its chain and the chain that `owner` owns."""
    chains = Task.objects.chains_of([task_id])
    if chains or owner:
        agents_ = [owner.pk] if owner else []
        chain_wanted.send(Task, agents=agents_, chains=chains, skip_locked=False)
    task = Task.objects.filter(pk=task_id).lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    return task


def _moved(task: Task, to: Status) -> Task:
    """Save the locked task in a status that its present one allows, and settle its chain."""
    if to not in ALLOWED[Status(task.status)]:
        raise WrongStatus(f"Task {task.pk} is {task.status}, so it cannot become {to}.")
    task.status = to
    task.lease_expires_at = None
    task.finished_at = Now() if to in FINISHED else None
    task.blocked = to == Status.QUEUED and task.chain_id is not None
    task.reserved_for = None
    task.updated_at = Now()
    if to in {Status.QUEUED, Status.DONE}:
        task.fail_reason = ""
    if to == Status.QUEUED:
        task.agent = None
        task.claimed_at = None
        task.cancel_asked_at = None
        task.available_at = Now()
    task.save()
    if task.chain_id:
        chain_changed.send(Task, chains=[task.chain_id], taken_by=None)
    ready.announce([task.channel_id])
    return Task.objects.get(pk=task.pk)
