"""How a lease goes on, and how it ends when no report ends it.

A lease is renewed, or runs out; an agent is lost; a chain is detached. What they take back passes
the same locks as everything else, so a report that lands in between wins. Only ids are read under
the locks, since a row may carry a large payload.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import (
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import claims, ready
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.querysets import TaskQuerySet
from tasks.states import (
    CANCEL,
    DETACH,
    FAIL,
    RETRY,
    Columns,
    DeadLetter,
    Status,
    first_of,
    paused,
)

BATCH = 200
"""Rows in one transaction of a sweep."""


@transaction.atomic
def renew(
    task_id: UUID, *, agent_id: str, epoch: int | None = None, lease_seconds: int | None = None
) -> Task:
    """Start the lease of a held task anew, by its own length or a new one; renews presence too."""
    agents.hear(agent_id)
    lean = Task.objects.only("status", "agent", "lease_epoch", "lease_seconds")
    task = lean.filter(pk=task_id).lock().first()
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
    rows = tasks.values_list("pk", "lease_epoch")
    held = {pk for pk, epoch in rows if epochs[pk] in {None, epoch}}
    leased = Task.objects.filter(pk__in=held, lease_seconds__isnull=False)
    leased.update(lease_expires_at=Now() + LEASE)
    return held


LEASE = ExpressionWrapper(F("lease_seconds") * Value(timedelta(seconds=1)), DurationField())


class TakenBack(NamedTuple):
    """A task whose lease ended by no report: as it is now, and who held it."""

    id: UUID
    status: str
    holder: str
    attempts: int
    losses: int
    dead_letter: str


@dataclass
class Reaped:
    """What a sweep took back: tasks that are tried again, and those that ended by it."""

    tasks: list[TakenBack] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iadd__(self, other: Self) -> Self:
        self.tasks += other.tasks
        return self

    @property
    def retried(self) -> list[TakenBack]:
        return self._now(Status.QUEUED)

    @property
    def failed(self) -> list[TakenBack]:
        return self._now(Status.FAILED)

    @property
    def cancelled(self) -> list[TakenBack]:
        return self._now(Status.CANCELLED)

    def _now(self, status: Status) -> list[TakenBack]:
        return [task for task in self.tasks if task.status == status]


def expire_leases(*, dry_run: bool = False) -> Reaped:
    """Take back chainless tasks whose lease ran out, an attempt used.

    A report that lands in between wins: rows that somebody is changing are left for the next pass.
    A dry run rolls back each batch.
    """
    tasks = Task.objects.expired().filter(chain=None).order_by("lease_expires_at")
    return _batch_by_batch(tasks, AttemptOutcome.EXPIRED, "lease expired", dry_run=dry_run)


def _batch_by_batch(
    tasks: TaskQuerySet,
    outcome: AttemptOutcome,
    reason: str,
    *,
    holders: Collection[str] = (),
    dry_run: bool,
) -> Reaped:
    """Give these tasks back, each batch in its own transaction, with their holders locked."""
    total = Reaped()
    while True:
        with transaction.atomic():
            journal.attribute(actor="coordinator", reason=reason)
            some = tasks.exclude(pk__in=[task.id for task in total.tasks]) if dry_run else tasks
            if holders:
                some = some.filter(agent__in=agents.lock(holders, skip_locked=True))
            taken = give_back(_taken(some), outcome, reason)
            transaction.set_rollback(dry_run)
        total += taken
        if len(taken) < BATCH:
            return total


def _taken(tasks: TaskQuerySet) -> list[UUID]:
    """A batch of those tasks that nobody else is changing, locked."""
    return list(tasks.lock_unless_busy().values_list("pk", flat=True)[:BATCH])


def release_lost(*, dry_run: bool = False) -> Reaped:
    """Take back the chainless tasks of lost agents, no attempt used; a dry run rolls it back.

    Agents and tasks that somebody is changing are left for the next pass; the others are not.
    """
    held = Task.objects.in_progress().filter(chain=None)
    lost = Agent.objects.lost()
    holders = list(lost.filter(pk__in=held.values("agent")).values_list("pk", flat=True))
    total = Reaped()
    for start in range(0, len(holders), BATCH):
        total += _batch_by_batch(
            held.filter(agent__in=lost).order_by("id"),
            AttemptOutcome.LOST,
            "agent lost",
            holders=holders[start : start + BATCH],
            dry_run=dry_run,
        )
    return total


@transaction.atomic
def release_on_restart(agent_id: str) -> Reaped:
    """An agent that has just started holds nothing: take back what it held before, as if lost."""
    reason = "agent restarted"
    journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    agents.hear(agent_id)
    return give_back(lock_chainless(agent_id), AttemptOutcome.LOST, reason)


def lock_chainless(agent_id: str) -> list[UUID]:
    """The chainless tasks that the agent holds, locked."""
    held = Task.objects.held_by(agent_id).filter(chain=None).lock()
    return list(held.values_list("pk", flat=True))


def give_back(
    ids: Collection[UUID],
    outcome: AttemptOutcome,
    reason: str,
    *,
    final: bool = False,
    **more: object,
) -> Reaped:
    """End the leases of locked chainless tasks that did not end by a report.

    An asked cancellation takes effect; else the task is tried again while it may be: an expired
    lease uses an attempt, a lost agent counts as one of the few that may be lost in a row.
    `final`: as many agents have refused it as it may have attempts. `more`: columns to set beside.
    """
    if not ids:
        return Reaped()
    tasks = Task.objects.filter(pk__in=ids)
    _keep_attempts(tasks, outcome, reason)
    tasks.update(**_given_back(outcome, reason, final=final, more=more))
    rows = tasks.order_by("pk").values_list(
        "pk", "status", "last_holder", "attempts", "losses", "dead_letter", "channel"
    )
    taken = list(rows)
    ready.announce(channel for *_, channel in taken)
    return Reaped([TakenBack(*row[:-1]) for row in taken])


def _given_back(
    outcome: AttemptOutcome, reason: str, *, final: bool, more: Columns
) -> dict[str, object]:
    """The columns by which a lease ends that no report ended."""
    expired, lost = outcome == AttemptOutcome.EXPIRED, outcome == AttemptOutcome.LOST
    attempts = F("attempts") + int(expired)
    losses = F("losses") + 1 if lost else Value(0)
    common = {"attempts": attempts, "losses": losses, "fail_reason": reason, **more}
    cases: list[tuple[Q | Combinable, Columns]] = [
        (Q(cancel_asked_at__isnull=False), CANCEL(**common))
    ]
    if expired:
        spent = _sentence(
            f"{reason}, max attempts exceeded (", attempts, "/", F("max_attempts"), ")"
        )
        failed = FAIL(**common | {"fail_reason": spent}, dead_letter=DeadLetter.LEASE_EXPIRED)
        cases.append((Q(max_attempts__lte=attempts), failed))
    if lost:
        enough = _sentence("", losses, " agents in a row were lost with it")
        failed = FAIL(**common | {"fail_reason": enough}, dead_letter=DeadLetter.AGENTS_LOST)
        cases.append((Q(losses__gte=settings.MAX_LOSSES - 1), failed))
    if final:
        return first_of(cases, otherwise=FAIL(**common, dead_letter=DeadLetter.UNSUPPORTED))
    return first_of(cases, otherwise=RETRY(**common, **(paused(attempts) if expired else {})))


def _sentence(*parts: str | Combinable) -> Combinable:
    texts = [Value(part) if isinstance(part, str) else Cast(part, TextField()) for part in parts]
    return Concat(*texts, output_field=TextField())


def wake_postponed() -> int:
    """Let claims have the tasks whose time has come; how many."""
    total = woken = _wake_batch()
    while woken == BATCH:
        total += (woken := _wake_batch())
    return total


def _wake_batch() -> int:
    with transaction.atomic():
        ids = _taken(Task.objects.due().order_by("available_at"))
        woken = Task.objects.filter(pk__in=ids)
        woken.update(postponed=False)
        ready.announce(woken.values_list("channel", flat=True))
        return len(ids)


def lock_detached(chain_id: UUID, outcome: AttemptOutcome, reason: str) -> None:
    """Lock what runs in a detached chain until a person decides, or end it if that was asked.

    Called with the chain and its open tasks locked; its settling is the caller's.
    """
    running = Task.objects.filter(chain=chain_id).in_progress()
    _keep_attempts(running, outcome, reason)
    common = {
        "fail_reason": reason,
        "attempts": F("attempts") + int(outcome == AttemptOutcome.EXPIRED),
    }
    asked = (Q(cancel_asked_at__isnull=False), CANCEL(**common))
    running.update(**first_of([asked], otherwise=DETACH(**common)))


def _keep_attempts(tasks: TaskQuerySet, outcome: AttemptOutcome, reason: str) -> None:
    ended = tasks.values_list("pk", "lease_epoch", "last_holder", "claimed_at")
    Attempt.objects.bulk_create(
        Attempt(
            task_id=pk,
            epoch=epoch,
            agent_id=holder,
            outcome=outcome,
            reason=reason,
            started_at=claimed_at,
        )
        for pk, epoch, holder, claimed_at in ended
    )
