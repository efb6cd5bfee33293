"""How an agent gives back what it has not done: one task, or all that it held when it restarts.

It costs the task nothing: no attempt is used and no loss counts.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents import transitions as agents
from agents.exceptions import AgentReplaced
from agents.models import Agent
from events import journal
from tasks import leases, secrets
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.leases import Reaped
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.signals import agent_restarted, chain_changed, chain_wanted
from tasks.states import Status


@transaction.atomic
def release(task_id: UUID, *, agent_id: str, epoch: int | None = None, reason: str = "") -> Task:
    """Put a held task back in the queue, where others may have it at once.

    A task of a chain gets its turn again, for the chain's owner. A task that was asked to stop is
    cancelled. Repeating it changes nothing.
    """
    journal.attribute(actor=f"agent:{agent_id}")
    agents.hear(agent_id)
    chains = Task.objects.chains_of([task_id])
    chain_wanted.send(Task, agents=[], chains=chains, skip_locked=False)
    lean = Task.objects.only("status", "agent", "lease_epoch", "type")
    task = lean.filter(pk=task_id).lock().first()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}.")
    reason = secrets.masked(reason, task_id, task.type) or "given back"
    journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    by_agent = task.status == Status.IN_PROGRESS and task.agent_id == agent_id
    if by_agent and epoch in {None, task.lease_epoch}:
        leases.give_back([task_id], AttemptOutcome.RELEASED, reason, closed_epoch=F("lease_epoch"))
        chain_changed.send(Task, chains=chains, taken_by=None)
    elif not _was_released(task, agent_id, task.lease_epoch if epoch is None else epoch):
        if epoch not in {None, task.lease_epoch}:
            raise LeaseLost(f"Task {task_id} is at lease epoch {task.lease_epoch}, not {epoch}.")
        raise NotHolder(f"Task {task_id} is not held by agent {agent_id!r}.")
    return Task.objects.get(pk=task_id)


def _was_released(task: Task, agent_id: str, epoch: int) -> bool:
    released = Attempt.objects.filter(task=task, outcome=AttemptOutcome.RELEASED)
    return released.filter(agent_id=agent_id, epoch=epoch).exists()


def begin_anew(agent_id: str) -> Reaped:
    """An agent that has just started holds nothing: free what it held before.

    The chain that it owned is detached, so its task in progress is locked. Call it inside a
    transaction.
    """
    reason = "agent restarted"
    journal.attribute(actor=f"agent:{agent_id}", reason=reason)
    agents.hear(agent_id)
    agent_restarted.send(Task, agent_id=agent_id, reason=reason)
    held = leases.lock_chainless(agent_id)
    return leases.give_back(held, AttemptOutcome.RELEASED, reason)


def recognize(agent_id: str, incarnation: str) -> None:
    """An agent says which process it is: a new one frees what the one before it held.

    One that was replaced gets AgentReplaced, and the journal has an event. An agent that does not
    say it is taken as it comes. A transaction of its own, before the request's.
    """
    if not incarnation or Agent.objects.filter(pk=agent_id, incarnation=incarnation).exists():
        return
    try:
        with transaction.atomic():
            if agents.incarnate(agent_id, incarnation):
                begin_anew(agent_id)
    except AgentReplaced:
        agents.tell_doubled(agent_id, incarnation)
        raise
