"""How a lease goes on, and how it ends when no report ends it.

A lease is renewed, or runs out; an agent is lost; a chain is detached. What they take back passes
the same locks as everything else, so a report that lands in between wins. Only ids are read under
the locks, since a row may carry a large payload.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import (
    Case,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, Now
from django.db.models.lookups import GreaterThanOrEqual

from agents import transitions as agents
from agents.models import Agent
from events import journal
from problems import Conflict
from tasks import blame, claims, ready
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.models import COMMAND, Attempt, AttemptOutcome, Task
from tasks.querysets import TaskQuerySet
from tasks.signals import leases_renewed, report_refused
from tasks.states import (
    CANCEL,
    DETACH,
    FAIL,
    GIVE_UP,
    RETRY,
    Columns,
    DeadLetter,
    Status,
    first_of,
    paused,
)

BATCH = 200
"""Rows in one transaction of a sweep."""

MOST_UNLISTED = 1_000

WORKER_LOST = "worker lost"
"""Why a command failed whose agent went silent (seed 001's word for it)."""


@transaction.atomic
def renew(
    task_id: UUID, *, agent_id: str, epoch: int | None = None, lease_seconds: int | None = None
) -> Task:
    """Start the lease of a held task anew, by its own length or a new one; renews presence too."""
    agents.hear(agent_id)
    task = held(task_id, agent_id=agent_id, epoch=epoch)
    leases_renewed.send(Task, types=[task.type])
    seconds = lease_seconds or task.lease_seconds
    Task.objects.filter(pk=task_id).update(
        lease_seconds=seconds, lease_expires_at=claims.expiry(seconds), named_epoch=F("lease_epoch")
    )
    return Task.objects.get(pk=task_id)


@transaction.atomic
def start(task_id: UUID, *, agent_id: str, epoch: int | None = None) -> Task:
    """Note that the agent has begun a task that it holds; the journal has that once for a lease."""
    journal.attribute(actor=f"agent:{agent_id}")
    agents.hear(agent_id)
    held(task_id, agent_id=agent_id, epoch=epoch)
    task = Task.objects.get(pk=task_id)
    if task.named_epoch < task.lease_epoch:
        task.named_epoch = task.lease_epoch
        Task.objects.filter(pk=task_id).update(named_epoch=F("lease_epoch"))
        journal.record(
            "task.started",
            agent_id=agent_id,
            task_id=str(task_id),
            chain_id=task.chain_id,
            channel_id=task.channel_id,
            payload={"lease_epoch": task.lease_epoch},
        )
    return task


def held(task_id: UUID, *, agent_id: str, epoch: int | None) -> Task:
    """Lock a task that the agent holds by this lease, by any where none is named; only its lease.

    Called inside a transaction. Raises TaskUnknown, NotHolder or LeaseLost.
    """
    lean = Task.objects.only("status", "agent", "lease_epoch", "lease_seconds", "type")
    task = lean.filter(pk=task_id).lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    problem: Conflict
    if task.status != Status.IN_PROGRESS or task.agent_id != agent_id:
        problem = NotHolder(f"Task {task_id} is not held by agent {agent_id!r}.")
    elif epoch not in {None, task.lease_epoch}:
        problem = LeaseLost(f"Task {task_id} is at lease epoch {task.lease_epoch}, not {epoch}.")
    else:
        return task
    report_refused.send(Task, type=task.type, code=problem.code)
    raise problem


def renew_listed(
    agent_id: str, epochs: Mapping[UUID, int | None], *, waiting: Collection[UUID] = ()
) -> set[UUID]:
    """Renew those of these tasks that the agent holds; their ids. Inside the heartbeat.

    `waiting`: those that it has not begun.
    """
    tasks = Task.objects.held_by(agent_id).filter(pk__in=epochs).lock()
    rows = list(tasks.values_list("pk", "lease_epoch", "named_epoch", "lease_seconds", "type"))
    held = {
        pk: named < epoch and pk not in waiting
        for pk, epoch, named, _, _ in rows
        if epochs[pk] in {None, epoch}
    }
    if types := [type_ for pk, *_, seconds, type_ in rows if seconds and pk in held]:
        leases_renewed.send(Task, types=types)
    leased = Task.objects.filter(pk__in=held, lease_seconds__isnull=False)
    leased.update(lease_expires_at=Now() + LEASE)
    if any(held.values()):
        new = Task.objects.filter(pk__in=[pk for pk, is_new in held.items() if is_new])
        new.update(named_epoch=F("lease_epoch"))
    return set(held)


@transaction.atomic
def hear(
    agent_id: str, epochs: Mapping[UUID, int | None], *, waiting: Collection[UUID] = ()
) -> None:
    """Renew a known agent's presence and what it lists: all that counts of a refused heartbeat."""
    agents.hear(agent_id)
    renew_listed(agent_id, epochs, waiting=waiting)


def unlisted(agent_id: str, listed: Collection[UUID]) -> list[UUID]:
    """Tasks that the agent holds and does not list, those that it claimed first on top."""
    held = Task.objects.held_by(agent_id).exclude(pk__in=listed)
    return list(held.order_by(*blame.IN_CLAIM_ORDER).values_list("pk", flat=True)[:MOST_UNLISTED])


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
    """Take back chainless tasks whose lease ran out, an attempt used by those that were begun.

    A report that lands in between wins: rows that somebody is changing are left for the next pass.
    A dry run rolls back each batch.
    """
    tasks = Task.objects.expired().filter(chain=None)
    return _batch_by_batch(
        tasks.order_by("lease_expires_at", "agent_id", *blame.LAST_CLAIMED_FIRST),
        AttemptOutcome.EXPIRED,
        "lease expired",
        together=blame.BY_CLAIM,
        dry_run=dry_run,
    )


def release_lost(*, dry_run: bool = False) -> Reaped:
    """Take back the chainless tasks of lost agents, no attempt used; those begun are blamed.

    Agents and tasks that somebody is changing are left for the next pass; the others are not. A dry
    run rolls back each batch.
    """
    held = Task.objects.in_progress().filter(chain=None)
    lost = Agent.objects.lost()
    holders = list(lost.filter(pk__in=held.values("agent")).values_list("pk", flat=True))
    total = Reaped()
    for start in range(0, len(holders), BATCH):
        total += _batch_by_batch(
            held.filter(agent__in=lost).order_by(
                "agent_id", blame.NAMED, *blame.LAST_CLAIMED_FIRST
            ),
            AttemptOutcome.LOST,
            "agent lost",
            together=blame.BY_AGENT,
            holders=holders[start : start + BATCH],
            dry_run=dry_run,
        )
    return total


def _batch_by_batch(
    tasks: TaskQuerySet,
    outcome: AttemptOutcome,
    reason: str,
    *,
    together: tuple[str, ...],
    holders: Collection[str] = (),
    dry_run: bool,
) -> Reaped:
    """End these leases, each batch in its own transaction, with their holders locked."""
    total = Reaped()
    while True:
        with transaction.atomic():
            journal.attribute(actor="coordinator", reason=reason)
            some = tasks.exclude(pk__in=[task.id for task in total.tasks]) if dry_run else tasks
            if holders:
                some = some.filter(agent__in=agents.lock(holders, skip_locked=True))
            taken = _end_begun(_taken(some), outcome, reason, together=together)
            transaction.set_rollback(dry_run)
        total += taken
        if len(taken) < BATCH:
            return total


def _taken(tasks: TaskQuerySet) -> list[UUID]:
    """A batch of those tasks that nobody else is changing, locked."""
    return list(tasks.lock_unless_busy().values_list("pk", flat=True)[:BATCH])


def _end_begun(
    ids: Collection[UUID], outcome: AttemptOutcome, reason: str, *, together: tuple[str, ...]
) -> Reaped:
    """End leases; the tasks that were not begun go back as if they had not been claimed."""
    begun = blame.begun(ids, together=together) if ids else set()
    reaped = give_back([pk for pk in ids if pk in begun], outcome, reason)
    spared = [pk for pk in ids if pk not in begun]
    reaped += give_back(spared, outcome, f"{reason} before it was begun", blamed=False)
    return reaped


def lock_chainless(agent_id: str) -> list[UUID]:
    """The chainless tasks that the agent holds, locked."""
    held = Task.objects.held_by(agent_id).filter(chain=None).lock()
    return list(held.values_list("pk", flat=True))


def give_back(
    ids: Collection[UUID],
    outcome: AttemptOutcome,
    reason: str,
    *,
    blamed: bool = True,
    final: bool = False,
    **more: object,
) -> Reaped:
    """End the leases of locked chainless tasks that did not end by a report.

    An asked cancellation takes effect; else the task is tried again while it may be: an expired
    lease uses an attempt, as does a lost agent with a command; with other tasks it counts as one
    of the few that may be lost in a row.
    `blamed`: the agent had begun them, otherwise neither counts.
    `final`: as many agents have refused it as it may have attempts. `more`: columns to set beside.
    """
    if not ids:
        return Reaped()
    tasks = Task.objects.filter(pk__in=ids)
    _keep_attempts(tasks, outcome, reason)
    counted = outcome if blamed else AttemptOutcome.RELEASED
    tasks.update(**_given_back(counted, reason, final=final, more=more))
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
    attempts: Combinable = F("attempts") + int(expired)
    if lost:
        attempts = Case(When(type=COMMAND, then=F("attempts") + 1), default=F("attempts"))
    losses: Combinable = F("losses") if outcome == AttemptOutcome.RELEASED else Value(0)
    common = {"attempts": attempts, "fail_reason": reason, **more}
    if lost:
        losses, common["lost_with"] = blame.losses()
    common["losses"] = losses
    cases: list[tuple[Q | Combinable, Columns]] = [
        (Q(cancel_asked_at__isnull=False), CANCEL(**common))
    ]
    if expired:
        spent = _sentence(
            f"{reason}, max attempts exceeded (", attempts, "/", F("max_attempts"), ")"
        )
        of_command = Value(WORKER_LOST, TextField())
        spent = Case(When(type=COMMAND, then=of_command), default=spent)
        failed = FAIL(**common | {"fail_reason": spent}, dead_letter=DeadLetter.LEASE_EXPIRED)
        cases.append((Q(max_attempts__lte=attempts), failed))
    if lost:
        once = FAIL(**common | {"fail_reason": WORKER_LOST}, dead_letter=DeadLetter.AGENTS_LOST)
        cases.append((Q(type=COMMAND, max_attempts__lte=attempts), once))
        enough = _sentence("", losses, " agents in a row were lost with it")
        failed = FAIL(**common | {"fail_reason": enough}, dead_letter=DeadLetter.AGENTS_LOST)
        cases.append((GreaterThanOrEqual(losses, settings.MAX_LOSSES), failed))
    if final:
        return first_of(cases, otherwise=FAIL(**common, dead_letter=DeadLetter.UNSUPPORTED))
    return first_of(cases, otherwise=RETRY(**common, **(paused(attempts) if expired else {})))


def _sentence(*parts: str | Combinable) -> Combinable:
    texts = [Value(part) if isinstance(part, str) else Cast(part, TextField()) for part in parts]
    return Concat(*texts, output_field=TextField())


@transaction.atomic
def time_out(tasks: TaskQuerySet, reason: str) -> list[UUID]:
    """End those of these chainless tasks in progress that nobody is changing; their ids.

    They fail for good, or are cancelled where that was asked. No late report counts.
    """
    journal.attribute(actor="coordinator", reason=reason)
    ids = _taken(tasks)
    running = Task.objects.filter(pk__in=ids)
    _keep_attempts(running, AttemptOutcome.TIMED_OUT, reason)
    common = {"fail_reason": reason, "closed_epoch": F("lease_epoch")}
    asked = (Q(cancel_asked_at__isnull=False), CANCEL(**common))
    failed = FAIL(**common, dead_letter=DeadLetter.TIMEOUT)
    running.update(**first_of([asked], otherwise=failed))
    return ids


@transaction.atomic
def give_up(tasks: TaskQuerySet, reason: str) -> list[UUID]:
    """Fail those of these chainless queued tasks that nobody is changing: nobody does them."""
    journal.attribute(actor="coordinator", reason=reason)
    ids = _taken(tasks)
    Task.objects.filter(pk__in=ids).update(
        **GIVE_UP(fail_reason=reason, dead_letter=DeadLetter.UNSERVED)
    )
    return ids


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
