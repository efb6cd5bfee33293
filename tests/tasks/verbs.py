"""What tests of the verbs share: tasks of each status, refusals, the journal's last line."""

import pytest

from chains import transitions as chains
from events.models import Event
from tasks import reports, transitions
from tasks.fast_path import Outcome
from tasks.models import Task
from tasks.states import FINISHED, Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    steps_of,
)


def last_line(task):
    line = Event.objects.about_task(task.pk).first()
    return line.type, line.actor, line.reason


def fail(task, **fields):
    reports.report_in_transaction(
        [Outcome(task.pk, done=False, **fields)], agent_id=None, by="tests"
    )
    return fresh(task)


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
        transitions.cancel(task.pk, by="tests")
        transitions.cancel(task.pk, by="tests")
    elif status in FINISHED:
        outcome = Outcome(task.pk, done=status == Status.DONE)
        reports.report_in_transaction([outcome], agent_id=None, by="tests")
    task = fresh(task)
    assert task.status == status
    return task


def refuses(problem, verb, task, *args, **kwargs):
    """The verb is refused by this problem and the row stays as it was."""
    before = Task.objects.filter(pk=task.pk).values().get()
    with pytest.raises(problem):
        verb(task.pk, *args, **kwargs)
    assert Task.objects.filter(pk=task.pk).values().get() == before
    return True
