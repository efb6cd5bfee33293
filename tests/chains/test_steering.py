"""Verbs that only the console has: release, unlock all, retire."""

import pytest

from agents.exceptions import AgentUnknown
from agents.models import Agent
from chains import resets, transitions
from chains.exceptions import ChainInUse, ChainUnknown, NotOwner
from events.models import Event
from tasks.exceptions import WrongStatus
from tasks.states import Status
from tests.api_v1.calls import UNKNOWN
from tests.chains.steps import picture
from tests.factories import fresh, give, make_agent, make_chain, make_task, steps_of, take
from tests.tasks.reporting import complete

pytestmark = pytest.mark.django_db


@pytest.fixture
def owned():
    """A chain of two tasks, owned by agent-1, which has done the first."""
    chain = make_chain(tasks=2)
    task = give(make_agent("agent-1"), chain.channel)
    complete(task, by=task.agent)
    return fresh(chain)


@pytest.fixture
def locked():
    """A chain of two tasks, of which the first is locked."""
    chain = make_chain(tasks=2)
    give(make_agent("agent-1"), chain.channel)
    return transitions.detach(chain.pk, owner_id=None, by="operator")


def test_any_agent_may_claim_from_a_released_chain(owned):
    chain = transitions.release(owned.pk, by="operator", reason="agent-1 is needed elsewhere")

    assert chain.owner_id is None
    assert picture(chain)[1] == ("queued", "turn", "anyone")
    assert take(make_agent("agent-2"), chain.channel)
    event = Event.objects.get(type="chain.released")
    assert (event.agent_id, event.actor, event.reason) == (
        "agent-1",
        "operator",
        "agent-1 is needed elsewhere",
    )


def test_a_chain_with_a_task_in_progress_cannot_be_released(owned):
    give(make_agent("agent-1"), owned.channel)

    with pytest.raises(ChainInUse):
        transitions.release(owned.pk, by="operator", reason="r")

    assert fresh(owned).owner_id == "agent-1"


def test_a_chain_without_an_owner_cannot_be_released():
    with pytest.raises(NotOwner):
        transitions.release(make_chain().pk, by="operator", reason="r")


def test_an_unknown_chain_cannot_be_released():
    with pytest.raises(ChainUnknown):
        transitions.release(UNKNOWN, by="operator", reason="r")


@pytest.mark.parametrize(
    ("to", "left"),
    [
        (Status.QUEUED, [("queued", "turn", "anyone"), ("queued", "-", "anyone")]),
        (Status.DONE, [("done", "turn", "anyone"), ("queued", "turn", "anyone")]),
    ],
)
def test_unlock_all_unlocks_the_locked_task_of_a_chain(locked, to, left):
    chain = transitions.unlock_all(locked.pk, to, by="operator", reason="looked at")

    assert chain.status == Status.QUEUED
    assert picture(chain) == left
    event = Event.objects.get(type="task.unlocked")
    assert (event.actor, event.reason) == ("operator", "looked at")


def test_unlock_all_refuses_a_chain_without_a_locked_task(owned):
    with pytest.raises(WrongStatus):
        transitions.unlock_all(owned.pk, Status.QUEUED, by="operator", reason="r")


def test_unlock_all_refuses_any_status_but_queued_and_done(locked):
    with pytest.raises(WrongStatus):
        transitions.unlock_all(locked.pk, Status.CANCELLED, by="operator", reason="r")

    assert fresh(locked).status == Status.LOCKED


def test_a_retired_agent_gets_no_more_tasks_and_loses_those_it_holds(owned):
    running = give(make_agent("agent-1"), owned.channel)
    waiting = make_task()

    reset = resets.retire_agent("agent-1", by="operator", reason="the machine is sold")

    assert fresh(running).status == Status.QUEUED
    assert fresh(owned).owner_id is None
    assert [one.task_id for one in reset.tasks] == [running.pk]
    assert take(make_agent("agent-2"), owned.channel) == [running]
    assert take(Agent.objects.get(pk="agent-1"), waiting.channel) == []
    assert Event.objects.get(type="agent.drained").reason == "the machine is sold"


def test_an_unknown_agent_cannot_be_retired():
    with pytest.raises(AgentUnknown):
        resets.retire_agent("agent-1", by="operator", reason="r")


def test_events_of_a_new_owner_and_of_an_edit_have_the_reason():
    chain = make_chain(tasks=1)
    make_agent("agent-1", subscriptions=(chain.channel.name,))

    transitions.assign_agent(chain.pk, "agent-1", by="operator", reason="it knows the code")
    transitions.edit(chain.pk, {"on_failure": "stop"}, by="operator", reason="it is risky")

    reasons = dict(Event.objects.filter(chain_id=chain.pk).values_list("type", "reason"))
    assert reasons["chain.acquired"] == "it knows the code"
    assert reasons["chain.edited"] == "it is risky"
    assert steps_of(chain)[0].reserved_for_id == "agent-1"
