"""Reports: by the fast path where that applies, else by the transactional path for any task.

What a report of a held task does is said once, in SQL (`fast_path.end_held`). Here stands what
becomes of reports on tasks that are not held any more: repeats, late ones, lost ones.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, TextChoices
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from events import journal
from problems import Problem
from problems.database import first_line
from tasks import claims, fast_path, leases, requirements, secrets
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.rows import COLUMNS, ClaimRequest, Outcome, TaskRow
from tasks.signals import chain_changed, chain_wanted, report_refused
from tasks.statements import Statement
from tasks.states import COMPLETE_LATE, DeadLetter, Status

log = logging.getLogger("coordinator.claims")


@cache
def _end_held_statement(outcomes: int) -> Statement:
    return Statement.of(
        f"""WITH {fast_path.OUTCOMES.format(outcomes)},
{fast_path.held("(%(agent)s::text IS NULL OR agent_id = %(agent)s::text)")},
ended AS ({fast_path.end_held()} RETURNING {COLUMNS}),
bad AS ({fast_path.KEEP_BAD_ATTEMPTS})
SELECT * FROM ended"""  # noqa: S608
    )


class Verdict(TextChoices):
    """What a report came to: taken, taken before, too late to count, or wrong in itself."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """The verdict on one outcome; `problem` says why it is lost, `task` is as it was left."""

    task_id: UUID | str | None
    verdict: Verdict
    problem: Problem | None = None
    task: TaskRow | None = None


def report(
    agent_id: str, outcomes: Sequence[Outcome], request: ClaimRequest | None = None
) -> tuple[Sequence[ReportVerdict], Sequence[TaskRow]]:
    """Take the outcomes, each answered on its own, and claim if that is asked for: all at once.

    But where others were quicker with all that the claim saw, the outcomes are taken first.
    """
    result = fast_path.run(agent_id, outcomes, request)
    if result is None:
        return report_in_transaction(outcomes, agent_id=agent_id, by="", request=request)
    verdicts = [ReportVerdict(outcome.task_id, Verdict.ACCEPTED) for outcome in outcomes]
    if request and result.overtaken:
        return verdicts, _claim_after(request)
    return verdicts, result.tasks if request else []


def _claim_after(request: ClaimRequest) -> Sequence[TaskRow]:
    """The claim of a report that has been taken already, which a failure must not hide."""
    try:
        return claims.claim_in_transaction(request)
    except DatabaseError as failure:
        log.warning("A claim was cut short.", extra={"problem": first_line(failure)})
        return []


def report_one(outcome: Outcome, *, agent_id: str, by: str) -> ReportVerdict:
    """Take one outcome, of an agent or, without one, of an operator."""
    result = fast_path.run(agent_id, [outcome]) if agent_id else None
    if result:
        return ReportVerdict(outcome.task_id, Verdict.ACCEPTED, task=result.tasks[0])
    return report_in_transaction([outcome], agent_id=agent_id or None, by=by)[0][0]


@transaction.atomic
def report_in_transaction(
    outcomes: Sequence[Outcome],
    *,
    agent_id: str | None,
    by: str,
    why: str = "",
    request: ClaimRequest | None = None,
) -> tuple[list[ReportVerdict], Sequence[TaskRow]]:
    """Take the outcomes one by one, each answered on its own, then claim if that is asked for.

    Without an agent an operator (`by`) speaks, who may end any task in progress. The outcome of
    an epoch is taken once; the same again changes nothing, another is lost. The last holder may
    still complete a task that was put back and that nobody has claimed since.
    """
    journal.attribute(actor=f"agent:{agent_id}" if agent_id else by, reason=why)
    agent = agents.enter(agent_id) if agent_id and request else None
    if agent_id and not request:
        agents.hear(agent_id)
    ids = [outcome.task_id for outcome in outcomes]
    chains = Task.objects.chains_of(ids)
    if chains or request:
        owners = [agent.pk] if agent else []
        chain_wanted.send(Task, agents=owners, chains=chains, skip_locked=False)
    kinds = dict(Task.objects.filter(pk__in=ids).lock().values_list("pk", "type"))
    outcomes = secrets.masked_outcomes(outcomes, kinds)
    verdicts = _judged(outcomes, agent_id)
    if chains:
        chain_changed.send(Task, chains=chains, taken_by=None)
    claimed = claims.pick(agent, request) if agent and request else []
    return verdicts, claimed


@transaction.atomic
def refuse(
    task_id: UUID, *, agent_id: str, epoch: int | None = None, reason: str = ""
) -> ReportVerdict:
    """The agent that holds the task says that it cannot do it (seed 004's workers: UNSUPPORTED).

    No attempt is used; others may have the task, this agent is not given it again. When as many
    agents have refused it as it may have attempts it is a dead letter; one of a chain, which only
    the chain's owner can do, is so at once.
    """
    journal.attribute(actor=f"agent:{agent_id}")
    agents.hear(agent_id)
    chains = Task.objects.chains_of([task_id])
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    locked = list(Task.objects.filter(pk=task_id).lock().values_list("pk"))
    task = Task.objects.select_related("requirement").filter(pk=task_id).first() if locked else None
    if task is not None:
        reason = secrets.masked(reason, task_id, task.type)
        journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    refused = Outcome(task_id, False, reason=reason, epoch=epoch)
    if task is None or not _is_held(task, agent_id, epoch):
        return _verdict_on(task, refused, agent_id)
    if task.chain_id:
        _end_held([refused], agent_id)
        Task.objects.filter(pk=task_id).failed().update(dead_letter=DeadLetter.UNSUPPORTED)
        chain_changed.send(Task, chains=chains, taken_by=None)
    else:
        wanted = requirements.refusing(task, agent_id)
        leases.give_back(
            [task_id],
            AttemptOutcome.REFUSED,
            reason,
            requirement=wanted,
            closed_epoch=F("lease_epoch"),
            final=len(wanted.refused_by) >= task.max_attempts,
        )
    return ReportVerdict(task_id, Verdict.ACCEPTED)


def _is_held(task: Task, agent_id: str, epoch: int | None) -> bool:
    by_agent = task.status == Status.IN_PROGRESS and task.agent_id == agent_id
    return by_agent and epoch in {None, task.lease_epoch}


def _judged(outcomes: Sequence[Outcome], agent_id: str | None) -> list[ReportVerdict]:
    """End what is held, judge the rest. A task named twice is ended by its first outcome."""
    first = {outcome.task_id: outcome for outcome in reversed(outcomes)}
    ended = _end_held(list(first.values()), agent_id)
    others = [task_id for task_id in first if task_id not in ended or len(first) < len(outcomes)]
    tasks = Task.objects.in_bulk(others) if others else {}
    return [
        ReportVerdict(outcome.task_id, Verdict.ACCEPTED, task=ended[outcome.task_id])
        if outcome is first[outcome.task_id] and outcome.task_id in ended
        else _verdict_on(tasks.get(outcome.task_id), outcome, agent_id)
        for outcome in outcomes
    ]


def _end_held(outcomes: Sequence[Outcome], agent_id: str | None) -> Mapping[UUID, TaskRow]:
    values = {"outcomes": fast_path.as_json(outcomes), "agent": agent_id}
    return {
        row[0]: TaskRow(*row)
        for row in _end_held_statement(fast_path.expected(outcomes)).run(values)
    }


def _verdict_on(task: Task | None, outcome: Outcome, agent_id: str | None) -> ReportVerdict:
    try:
        verdict = _verdict(task, outcome, agent_id)
    except Problem as problem:
        report_refused.send(Task, type=task.type if task else "", code=problem.code)
        return ReportVerdict(outcome.task_id, Verdict.LOST, problem)
    return ReportVerdict(outcome.task_id, verdict)


def _verdict(task: Task | None, outcome: Outcome, agent_id: str | None) -> Verdict:
    """What a report on a task that the reporter does not hold by this epoch comes to."""
    if task is None:
        raise TaskUnknown(f"There is no task {outcome.task_id}.")
    if agent_id and _took_over(agent_id, task):
        raise NotHolder(f"Task {task.pk} was held before agent {agent_id!r} was there.")
    epoch = task.lease_epoch if outcome.epoch is None else outcome.epoch
    if not outcome.done and _has_failed(task, epoch, agent_id):
        return Verdict.ALREADY
    if epoch != task.lease_epoch:
        raise LeaseLost(f"Task {task.pk} is at lease epoch {task.lease_epoch}, not {epoch}.")
    if agent_id and agent_id != task.last_holder:
        raise NotHolder(f"Task {task.pk} is not held by agent {agent_id!r}.")
    if outcome.done and task.status == Status.DONE:
        return _complete_again(task, outcome, agent_id)
    if agent_id and task.status == Status.CANCELLED:
        _note_noticed(task)
    if task.status not in COMPLETE_LATE.sources or task.closed_epoch == epoch:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    if agent_id is None and outcome.epoch is None:
        raise WrongStatus(f"Task {task.pk} is {task.status}; claim or assign it first.")
    return _take_late(task, outcome)


def _took_over(agent_id: str, task: Task) -> bool:
    """Whether a user took the id after an agent that had the task under it was removed."""
    agent = Agent.objects.filter(pk=agent_id, user__isnull=False).first()
    if agent is None:
        return False
    attempts = Attempt.objects.filter(task=task, epoch=task.lease_epoch)
    started = task.claimed_at or attempts.values_list("started_at", flat=True).first()
    return started is not None and agent.created_at > started


def _has_failed(task: Task, epoch: int, agent_id: str | None) -> bool:
    """Whether a fail or a refusal of this epoch was accepted; it may be repeated at any time."""
    reported = {AttemptOutcome.FAILED, AttemptOutcome.REFUSED}
    attempts = Attempt.objects.filter(task=task, epoch=epoch, outcome__in=reported)
    past = attempts.values_list("agent_id", flat=True).first()
    return past is not None and agent_id in {None, past}


def _complete_again(task: Task, outcome: Outcome, agent_id: str | None) -> Verdict:
    """A done task: the same result may be repeated, another is refused, not thrown away.

    One that a person set to done has no result yet; its last holder's is taken. The database
    compares, since it stores numbers in its own way.
    """
    done = Task.objects.filter(pk=task.pk)
    if outcome.result is None:
        return Verdict.ALREADY
    if agent_id and task.result is None:
        done.update(result=outcome.result, closed_epoch=F("lease_epoch"), updated_at=Now())
        return Verdict.ACCEPTED
    if done.filter(result=outcome.result).exists():
        return Verdict.ALREADY
    raise WrongStatus(f"Task {task.pk} is {task.status} with another result.")


def _note_noticed(task: Task) -> None:
    """A cancelled task stays cancelled once its last holder has been told that it is too late."""
    Task.objects.filter(pk=task.pk, agent=None).update(agent=task.last_holder)


def _take_late(task: Task, outcome: Outcome) -> Verdict:
    """A task that the coordinator took back, and that nobody has had since, in the queue or failed.

    Its last holder's result counts, its fail is noted.
    """
    late = Task.objects.filter(pk=task.pk)
    if outcome.done:
        holder = Agent.objects.filter(pk=task.last_holder).first()  # none if it was removed
        late.update(**COMPLETE_LATE(agent=holder, result=outcome.result))
    else:
        late.update(closed_epoch=F("lease_epoch"), fail_reason=outcome.reason, updated_at=Now())
        Attempt.objects.filter(task=task, epoch=task.lease_epoch).update(
            outcome=AttemptOutcome.FAILED, reason=outcome.reason
        )
    return Verdict.ACCEPTED
