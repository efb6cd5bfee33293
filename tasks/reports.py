"""The slow way of a report: any task, in a chain or not, held or not. See `fastlane` for the other.

What a report of a held task does is said once, in SQL (`fastlane.END_HOLD`). Here stands what
becomes of reports on tasks that are not held any more: repeats, late ones, lost ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import TextChoices
from django.db.models.functions import Now

from agents import transitions as agents
from events import journal
from problems import Problem
from tasks import claims, fastlane, leases, requirements
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.fastlane import Outcome
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.signals import chain_changed, chain_wanted
from tasks.statements import Statement
from tasks.states import DeadLetter, Status

END_HELD = Statement.of(
    f"""WITH {fastlane.OUTCOMES},
held AS MATERIALIZED ({fastlane.HELD}
  FROM outcome o JOIN tasks_task t ON t.id = o.id
  WHERE t.status = 'in_progress' AND (%(agent)s::text IS NULL OR t.agent_id = %(agent)s::text)
    AND (o.epoch IS NULL OR o.epoch = t.lease_epoch)),
closed AS ({fastlane.END_HOLD} FROM held h WHERE t.id = h.id RETURNING t.id),
bad AS ({fastlane.KEEP_BAD_ATTEMPTS})
SELECT id FROM closed"""  # noqa: S608
)


class Verdict(TextChoices):
    """What a report came to: taken, taken before, or too late to count."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """The verdict on one outcome; `problem` says why it is lost."""

    task_id: UUID
    verdict: Verdict
    problem: Problem | None = None


@transaction.atomic
def report(
    outcomes: Sequence[Outcome],
    *,
    agent_id: str | None,
    by: str,
    wish: claims.Claim | None = None,
) -> tuple[list[ReportVerdict], list[Task]]:
    """Take the outcomes one by one, each answered on its own, then claim if there is a wish.

    Without an agent an operator (`by`) speaks, who may end any task in progress. The outcome of
    an epoch is taken once; the same again changes nothing, another is lost. The last holder may
    still complete a task that was put back and that nobody has claimed since.
    """
    journal.attribute(actor=f"agent:{agent_id}" if agent_id else by)
    agent = agents.enter(agent_id) if agent_id and wish else None
    if agent_id and not wish:
        agents.hear(agent_id)
    ids = [outcome.task_id for outcome in outcomes]
    chains = Task.objects.chains_of(ids)
    if chains or wish:
        owners = [agent.pk] if agent else []
        chain_wanted.send(Task, agents=owners, chains=chains, skip_locked=False)
    list(Task.objects.filter(pk__in=ids).lock().values_list("pk"))
    answers = _answer(outcomes, agent_id)
    chain_changed.send(Task, chains=chains, taken_by=None)
    claimed = claims.pick(agent, wish) if agent and wish else []
    return answers, claimed


@transaction.atomic
def refuse(
    task_id: UUID, *, agent_id: str, epoch: int | None = None, reason: str = ""
) -> ReportVerdict:
    """The agent that holds the task says that it cannot do it (seed 004's workers: UNSUPPORTED).

    No attempt is used; others may have the task, this agent is not given it again. When as many
    agents have refused it as it may have attempts it is a dead letter; one of a chain, which only
    the chain's owner can do, is so at once.
    """
    journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    agents.hear(agent_id)
    chains = Task.objects.chains_of([task_id])
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    task = Task.objects.filter(pk=task_id).lock().first()
    refused = Outcome(task_id, False, reason=reason, epoch=epoch)
    if task is None or not _is_held(task, agent_id, epoch):
        return _judge(task, refused, agent_id)
    if task.chain_id:
        _end_held([refused], agent_id)
        Task.objects.filter(pk=task_id).failed().update(dead_letter=DeadLetter.UNSUPPORTED)
        chain_changed.send(Task, chains=chains, taken_by=None)
    else:
        task.requirement = requirements.refusing(task, agent_id)
        task.closed_epoch = task.lease_epoch
        leases.give_back([task], AttemptOutcome.REFUSED, reason)
    return ReportVerdict(task_id, Verdict.ACCEPTED)


def _is_held(task: Task, agent_id: str, epoch: int | None) -> bool:
    by_agent = task.status == Status.IN_PROGRESS and task.agent_id == agent_id
    return by_agent and epoch in {None, task.lease_epoch}


def _answer(outcomes: Sequence[Outcome], agent_id: str | None) -> list[ReportVerdict]:
    """End what is held, judge the rest. A task named twice is ended by what is said first."""
    first = {outcome.task_id: outcome for outcome in reversed(outcomes)}
    ended = _end_held(list(first.values()), agent_id)
    if len(ended) == len(outcomes):
        return [ReportVerdict(outcome.task_id, Verdict.ACCEPTED) for outcome in outcomes]
    tasks = Task.objects.in_bulk(list(first))
    return [
        ReportVerdict(outcome.task_id, Verdict.ACCEPTED)
        if outcome is first[outcome.task_id] and outcome.task_id in ended
        else _judge(tasks.get(outcome.task_id), outcome, agent_id)
        for outcome in outcomes
    ]


def _end_held(outcomes: Sequence[Outcome], agent_id: str | None) -> set[UUID]:
    values = fastlane.columns_of(outcomes) | {"agent": agent_id}
    return {row[0] for row in END_HELD.run(values)}


def _judge(task: Task | None, outcome: Outcome, agent_id: str | None) -> ReportVerdict:
    try:
        verdict = _verdict(task, outcome, agent_id)
    except Problem as problem:
        return ReportVerdict(outcome.task_id, Verdict.LOST, problem)
    return ReportVerdict(outcome.task_id, verdict)


def _verdict(task: Task | None, outcome: Outcome, agent_id: str | None) -> Verdict:
    """What a report on a task that the reporter does not hold by this epoch comes to."""
    if task is None:
        raise TaskUnknown(f"There is no task {outcome.task_id}.")
    epoch = task.lease_epoch if outcome.epoch is None else outcome.epoch
    if epoch != task.lease_epoch:
        return _verdict_on_past(task, outcome, epoch, agent_id)
    if agent_id and agent_id != task.last_holder:
        raise NotHolder(f"Task {task.pk} is not held by agent {agent_id!r}.")
    if task.status == Status.QUEUED and agent_id is None and outcome.epoch is None:
        raise WrongStatus(f"Task {task.pk} is {task.status}; claim or assign it first.")
    closed = task.closed_epoch == epoch
    if closed and task.last_holder and outcome.done == (task.status == Status.DONE):
        return Verdict.ALREADY
    if task.status == Status.DONE and outcome.done:
        return Verdict.ALREADY
    if task.status != Status.QUEUED or closed:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    return _take_late(task, outcome)


def _verdict_on_past(task: Task, outcome: Outcome, epoch: int, agent_id: str | None) -> Verdict:
    reported = {AttemptOutcome.FAILED, AttemptOutcome.REFUSED}
    past = Attempt.objects.filter(task=task, epoch=epoch, outcome__in=reported).first()
    if past and not outcome.done and agent_id in {None, past.agent_id}:
        return Verdict.ALREADY
    raise LeaseLost(f"Task {task.pk} is at lease epoch {task.lease_epoch}, not {epoch}.")


def _take_late(task: Task, outcome: Outcome) -> Verdict:
    """A put-back task that nobody claimed: its last holder's result counts, its fail is noted."""
    task.closed_epoch = task.lease_epoch
    task.updated_at = Now()
    if outcome.done:
        task.status = Status.DONE
        task.agent_id = task.last_holder
        task.result = outcome.result
        task.fail_reason = ""
        task.blocked = task.postponed = False
        task.reserved_for = None
        task.losses = 0
        task.finished_at = Now()
    else:
        task.fail_reason = outcome.reason
        Attempt.objects.filter(task=task, epoch=task.lease_epoch).update(
            outcome=AttemptOutcome.FAILED, reason=outcome.reason
        )
    task.save()
    return Verdict.ACCEPTED
