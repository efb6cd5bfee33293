"""What tests of chains share: ends of steps, pictures of a chain, refusals."""

import pytest

from chains.models import Chain
from events.models import Event
from tasks import reports
from tasks.fast_path import Outcome
from tasks.models import Task
from tests.factories import (
    make_agent,
    steps_of,
)


def complete(task):
    reports.report_in_transaction([Outcome(task.pk, done=True)], agent_id=None, by="tests")


def fail(task, retriable=False):
    outcome = Outcome(task.pk, done=False, retriable=retriable)
    reports.report_in_transaction([outcome], agent_id=None, by="tests")


def make_subscriber(chain, **fields):
    return make_agent(subscriptions=(chain.channel.name.upper(),), **fields)


def picture(chain):
    """Each step's status, whether it has its turn, and for whom."""
    return [
        (step.status, "-" if step.blocked else "turn", step.reserved_for_id or "anyone")
        for step in steps_of(chain)
    ]


def lines(chain, *types):
    found = Event.objects.about_chain(chain.pk).filter(type__in=types).order_by("id")
    return [(line.type, line.actor, line.agent_id, line.payload) for line in found]


def refused(problem, verb, chain, *args, **kwargs):
    def rows():
        return list(Chain.objects.order_by("id").values()) + list(
            Task.objects.order_by("id").values()
        )

    before = rows()
    with pytest.raises(problem):
        verb(chain.pk, *args, **kwargs)
    assert rows() == before
    return True
