"""How the hold on a task goes on, and how it ends when no report ends it.

A lease is renewed, or runs out; an agent is lost; a chain is detached. What they take back passes
the same locks as everything else, so a report that lands in between wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, Func
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import claims, ready
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.states import FINISHED, DeadLetter, Status

BATCH = 200
"""Rows in one transaction of a sweep."""


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


@dataclass
class Reaped:
    """What a sweep took back: tasks that are tried again, and those that ended by it."""

    retried: list[Task] = field(default_factory=list)
    failed: list[Task] = field(default_factory=list)
    cancelled: list[Task] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.retried) + len(self.failed) + len(self.cancelled)

    def __iadd__(self, other: Self) -> Self:
        self.retried += other.retried
        self.failed += other.failed
        self.cancelled += other.cancelled
        return self


def expire_leases() -> Reaped:
    """Take back chainless tasks whose lease ran out, an attempt used.

    A report that lands in between wins: rows that somebody is changing are left for the next pass.
    """
    return _batch_by_batch(_expire_batch)


def _batch_by_batch(take: Callable[[], Reaped]) -> Reaped:
    total = Reaped()
    while True:
        taken = take()
        total += taken
        if len(taken) < BATCH:
            return total


def _expire_batch() -> Reaped:
    with transaction.atomic():
        journal.attribute(actor="coordinator", reason="lease expired")
        tasks = list(
            Task.objects.expired()
            .filter(chain=None)
            .order_by("lease_expires_at")
            .lock_unless_busy()[:BATCH]
        )
        return give_back(tasks, AttemptOutcome.EXPIRED, "lease expired")


def release_lost() -> Reaped:
    """Take back the chainless tasks of lost agents, no attempt used."""
    return _batch_by_batch(_release_batch)


def _release_batch() -> Reaped:
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
        return give_back(tasks, AttemptOutcome.LOST, "agent lost")


@transaction.atomic
def release_on_restart(agent_id: str) -> Reaped:
    """An agent that has just started holds nothing: take back what it held before, as if lost."""
    reason = "agent started anew"
    journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    agents.hear(agent_id)
    held = list(Task.objects.held_by(agent_id).filter(chain=None).lock())
    return give_back(held, AttemptOutcome.LOST, reason)


def give_back(tasks: Sequence[Task], outcome: AttemptOutcome, reason: str) -> Reaped:
    """End the holds of locked chainless tasks that did not end by a report.

    An asked cancellation takes effect; else the task is tried again while it may be: an expired
    lease uses an attempt, a lost agent counts as one of the few that may be lost in a row, and
    one that refused it is among those in the task's requirement already.
    """
    Attempt.objects.bulk_create(bad_attempt(task, outcome, reason) for task in tasks)
    taken = Reaped()
    for task in tasks:
        _end_hold(task, outcome, reason)
        {
            Status.QUEUED: taken.retried,
            Status.FAILED: taken.failed,
            Status.CANCELLED: taken.cancelled,
        }[Status(task.status)].append(task)
    Task.objects.bulk_update(tasks, ENDED_HOLD)
    ready.announce(task.channel_id for task in tasks)
    return taken


ENDED_HOLD = (
    "status",
    "dead_letter",
    "requirement",
    "closed_epoch",
    "agent",
    "claimed_at",
    "finished_at",
    "fail_reason",
    "attempts",
    "losses",
    "lease_expires_at",
    "available_at",
    "postponed",
    "updated_at",
)


def _end_hold(task: Task, outcome: AttemptOutcome, reason: str) -> None:
    expired, lost = outcome == AttemptOutcome.EXPIRED, outcome == AttemptOutcome.LOST
    task.attempts += expired
    task.losses = task.losses + 1 if lost else 0
    task.fail_reason = reason
    task.lease_expires_at = None
    task.updated_at = Now()
    if task.cancel_asked_at is not None:
        task.status = Status.CANCELLED
    elif expired and task.attempts >= task.max_attempts:
        task.status = Status.FAILED
        task.dead_letter = DeadLetter.LEASE_EXPIRED
        task.fail_reason = f"{reason}, max attempts exceeded ({task.attempts}/{task.max_attempts})"
    elif outcome == AttemptOutcome.REFUSED and _has_been_refused_enough(task):
        task.status = Status.FAILED
        task.dead_letter = DeadLetter.UNSUPPORTED
    elif task.losses >= settings.MAX_LOSSES:
        task.status = Status.FAILED
        task.dead_letter = DeadLetter.AGENTS_LOST
        task.fail_reason = f"{task.losses} agents in a row were lost with it"
    else:
        task.status = Status.QUEUED
        task.agent = None
        task.claimed_at = None
        task.postponed = expired and task.retry_delay_seconds > 0
        task.available_at = Now() + RetryDelay(task) if task.postponed else Now()
    if task.status in FINISHED:
        task.finished_at = Now()


def _has_been_refused_enough(task: Task) -> bool:
    return task.requirement is not None and len(task.requirement.refused_by) >= task.max_attempts


class RetryDelay(Func):
    """The pause before the next attempt, as the database reckons it."""

    function = "tasks_retry_delay"
    output_field = DurationField()

    def __init__(self, task: Task) -> None:
        super().__init__(task.retry_delay_seconds, task.attempts)


def wake_postponed() -> int:
    """Let claims have the tasks whose time has come; how many."""
    total = woken = _wake_batch()
    while woken == BATCH:
        total += (woken := _wake_batch())
    return total


def _wake_batch() -> int:
    with transaction.atomic():
        tasks = list(Task.objects.due().order_by("available_at").lock_unless_busy()[:BATCH])
        Task.objects.filter(pk__in=[task.pk for task in tasks]).update(postponed=False)
        ready.announce(task.channel_id for task in tasks)
        return len(tasks)


def lock_detached(tasks: Sequence[Task], outcome: AttemptOutcome, reason: str) -> None:
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
