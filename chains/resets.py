"""Forced resets: an operator puts tasks that hang back in the queue; no attempt is used.

They are built from the other verbs, so a late report is judged as after any other end of a lease:
the last holder may still complete a task that nobody has claimed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from agents import transitions as agents
from agents.exceptions import AgentUnknown
from chains import transitions
from chains.models import Chain
from events import journal
from tasks import leases
from tasks import transitions as tasks
from tasks.exceptions import TaskUnknown, WrongStatus
from tasks.models import AttemptOutcome, Task
from tasks.states import Status


@dataclass(frozen=True, slots=True)
class Reset:
    """A task's status before and after, its holder before, and the chain that was detached."""

    task_id: UUID
    was: str
    now: str
    holder: str | None = None
    detached: UUID | None = None


@dataclass
class AgentReset:
    """The resets of the tasks that an agent held, and the chain that it owned, if any."""

    tasks: list[Reset] = field(default_factory=list)
    detached: UUID | None = None


@transaction.atomic
def reset_task(task_id: UUID, *, by: str, reason: str) -> Reset:
    """Put an open or failed task back in the queue; a queued one stays as it is.

    A task in progress is taken from its agent, with the chain that it belongs to, or cancelled if
    that was asked. A locked one is unlocked, a failed one requeued; others are refused.
    """
    journal.attribute(actor=by, reason=reason)
    chain = _lock_chain_of(task_id)
    task = Task.objects.filter(pk=task_id).only("status", "agent").lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    before, holder = task.status, task.agent_id
    match Status(before):
        case Status.IN_PROGRESS if chain:
            return _free_chain(chain, [task], by=by, reason=reason)[0]
        case Status.IN_PROGRESS:
            taken = leases.give_back([task_id], AttemptOutcome.RESET, reason)
            return Reset(task_id, before, taken.tasks[0].status, holder)
        case Status.LOCKED:
            tasks.unlock(task_id, Status.QUEUED, by=by, reason=reason)
        case Status.FAILED:
            tasks.requeue(task_id, by=by, reason=reason)
        case Status.DONE | Status.CANCELLED:
            raise WrongStatus(f"Task {task_id} is {before}, and stays it.")
    return Reset(task_id, before, Status.QUEUED)


@transaction.atomic
def reset_agent(agent_id: str, *, by: str, reason: str) -> AgentReset:
    """Put all tasks that an agent holds back in the queue and detach the chain that it owns.

    The agent may claim again at once; stop it first to prevent that.
    """
    journal.attribute(actor=by, reason=reason)
    if not agents.lock([agent_id]):
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    reset = AgentReset()
    chain = Chain.objects.owned_by(agent_id).first()
    if chain is not None:
        chain = transitions.lock_chain(chain.pk)
        running = list(Task.objects.filter(chain=chain).in_progress().only("status", "agent"))
        reset.tasks += _free_chain(chain, running, by=by, reason=reason)
        reset.detached = chain.pk
    held = leases.give_back(leases.lock_chainless(agent_id), AttemptOutcome.RESET, reason)
    reset.tasks += [
        Reset(task.id, Status.IN_PROGRESS, task.status, agent_id) for task in held.tasks
    ]
    return reset


@transaction.atomic
def retire_agent(agent_id: str, *, by: str, reason: str) -> AgentReset:
    """Drain an agent, and put all tasks that it holds back in the queue."""
    agents.drain(agent_id, by=by, reason=reason)
    return reset_agent(agent_id, by=by, reason=reason)


def _lock_chain_of(task_id: UUID) -> Chain | None:
    chains = Task.objects.chains_of([task_id])
    return transitions.lock_chain(chains[0]) if chains else None


def _free_chain(chain: Chain, running: Sequence[Task], *, by: str, reason: str) -> list[Reset]:
    """Detach a locked chain, and unlock its tasks that ran, unless that cancelled them."""
    transitions.detach(chain.pk, owner_id=None, by=by, outcome=AttemptOutcome.RESET, reason=reason)
    resets = []
    for task in running:
        now = Task.objects.only("status").get(pk=task.pk)
        if now.status == Status.LOCKED:
            now = tasks.unlock(task.pk, Status.QUEUED, by=by, reason=reason)
        resets.append(Reset(task.pk, task.status, now.status, task.agent_id, chain.pk))
    return resets
