"""Tasks of each status, refusals, and the latest event of a task."""

import pytest

from chains import transitions as chains
from events.models import Event
from tasks import leases, transitions
from tasks.models import Task
from tasks.states import FINISHED, Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    silence,
    steps_of,
)
from tests.tasks.reporting import complete, fail


def last_event(task):
    event = Event.objects.about_task(task.pk).first()
    return event.type, event.actor, event.reason


def failed(task, **outcome):
    """The task after an operator has reported it failed."""
    fail(task, **outcome)
    return fresh(task)


def expire(task):
    """The task's lease runs out and is ended; returns the tasks whose leases were ended."""
    let_lease_run_out(task)
    return leases.expire_leases()


def lose(agent):
    """The agent falls silent and its leases are ended; returns their tasks."""
    silence(agent)
    return leases.release_lost()


ENDS = {"expiry": expire, "loss": lambda task: lose(fresh(task).agent)}
"""How the lease of a task without a chain ends without a report."""


def make_locked_task(agent=None, steps=1):
    chain = make_chain(tasks=steps)
    task = give(agent or make_agent(), chain.channel)
    chains.detach(chain.pk, owner_id=None, by="tests")
    return fresh(task)


def make_of_status(status):
    """A task of a chain (the only kind that may be locked) in this status."""
    chain = make_chain(tasks=1)
    if status == Status.QUEUED:
        return steps_of(chain)[0]
    task = give(make_agent(), chain.channel)
    if status == Status.LOCKED:
        chains.detach(chain.pk, owner_id=None, by="tests")
    elif status == Status.CANCELLED:
        transitions.cancel(task.pk, by="tests", force=True)
    elif status in FINISHED:
        (complete if status == Status.DONE else fail)(task)
    task = fresh(task)
    assert task.status == status
    return task


def refuses(problem, verb, task, *args, **kwargs):
    """The verb raises this problem and the row stays as it was."""
    before = Task.objects.filter(pk=task.pk).values().get()
    with pytest.raises(problem):
        verb(task.pk, *args, **kwargs)
    assert Task.objects.filter(pk=task.pk).values().get() == before
    return True
