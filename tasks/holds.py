"""How the hold on a task goes on, and how it ends when no report ends it.

A lease is renewed, or runs out; an agent is lost; a chain is detached. What they take back passes
the same locks as everything else, so a report that lands in between wins.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import claims, ready
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.states import FINISHED, Status

BATCH = 200


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
