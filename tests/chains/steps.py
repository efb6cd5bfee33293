"""Pictures and events of a chain, and refusals."""

import pytest

from chains.models import Chain
from events.models import Event
from tasks.models import Task
from tests.factories import make_agent, steps_of


def make_subscriber(chain, **fields):
    return make_agent(subscriptions=(chain.channel.name.upper(),), **fields)


def picture(chain):
    """The status of each step, whether it has the turn, and for which agent."""
    return [
        (step.status, "-" if step.blocked else "turn", step.reserved_for_id or "anyone")
        for step in steps_of(chain)
    ]


def events(chain, *types):
    found = Event.objects.about_chain(chain.pk).filter(type__in=types).order_by("id")
    return [(event.type, event.actor, event.agent_id, event.payload) for event in found]


def rows():
    """All chains and tasks."""
    return [list(model.objects.order_by("id").values()) for model in (Chain, Task)]


def refused(problem, verb, chain, *args, **kwargs):
    """The verb raises this problem and no row changes."""
    before = rows()
    with pytest.raises(problem):
        verb(chain.pk, *args, **kwargs)
    assert rows() == before
    return True
