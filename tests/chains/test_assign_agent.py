from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from agents.exceptions import AgentDraining, AgentLost, AgentUnknown
from chains import transitions
from chains.exceptions import ChainUnknown, NotAssignable, NotSubscribed
from chains.models import Chain
from tasks import transitions as tasks
from tasks.states import Status
from tests.chains.steps import events, make_subscriber, picture, refused
from tests.factories import fresh, give, make_agent, make_chain, make_held_task, steps_of, take
from tests.tasks.reporting import complete

pytestmark = pytest.mark.django_db


def test_the_agent_that_is_assigned_owns_the_chain_and_gets_its_tasks():
    chain = make_chain(tasks=2)
    agent = make_subscriber(chain)

    given = transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert (given.owner, given.status) == (agent, "in_progress")
    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel).sequence == 1
    assert events(chain, "chain.acquired") == [
        ("chain.acquired", "operator", agent.pk, {"from": None, "to": agent.pk})
    ]


def test_assigning_the_owner_again_changes_nothing():
    chain = make_chain(tasks=1)
    agent = make_agent()
    give(agent, chain.channel)
    before = Chain.objects.values().get()

    transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert Chain.objects.values().get() == before


def test_a_chain_may_change_its_owner_between_two_tasks():
    chain = make_chain(tasks=2)
    first, second = make_agent("first"), make_subscriber(chain)
    complete(give(first, chain.channel))

    transitions.assign_agent(chain.pk, second.pk, by="operator")

    assert picture(chain)[1] == ("queued", "turn", second.pk)
    assert take(first, chain.channel) == []


def test_a_locked_chain_may_be_assigned_and_stays_locked():
    chain = make_chain(tasks=2)
    give(make_agent(), chain.channel)
    transitions.detach(chain.pk, owner_id=None, by="operator")
    agent = make_subscriber(chain)

    transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert picture(chain) == [("locked", "turn", agent.pk), ("queued", "-", "anyone")]
    assert fresh(chain).status == "locked"
    assert take(agent, chain.channel) == []
    tasks.unlock(steps_of(chain)[0].pk, Status.QUEUED, by="operator")
    assert give(agent, chain.channel).sequence == 1


def test_assigning_releases_a_chain_that_does_not_bind_the_agent():
    old = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, old.channel))
    chain = make_chain(old.channel, tasks=1)
    type(agent).objects.filter(pk=agent.pk).update(subscriptions=[old.channel.name])

    transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert list(Chain.objects.owned_by(agent.pk)) == [chain]
    assert events(old, "chain.released") == [
        ("chain.released", "operator", agent.pk, {"from": agent.pk, "to": None})
    ]


def test_an_agent_that_is_not_subscribed_to_the_channel_is_refused():
    agent = make_agent(subscriptions=("elsewhere",))

    refusal = NotSubscribed("x")
    assert refusal.code == "agent_not_subscribed_channel"
    assert refused(NotSubscribed, transitions.assign_agent, make_chain(), agent.pk, by="operator")


def test_assigning_is_refused_while_a_task_runs_for_another_agent():
    chain = make_chain(tasks=2)
    give(make_agent(), chain.channel)
    agent = make_subscriber(chain)

    assert refused(NotAssignable, transitions.assign_agent, chain, agent.pk, by="operator")


@pytest.mark.parametrize("state", ["running", "between", "locked"])
def test_an_agent_that_is_bound_to_another_chain_is_refused(state):
    chain = make_chain(tasks=2)
    agent = make_subscriber(chain)
    elsewhere = make_chain(tasks=2)
    task = give(agent, elsewhere.channel)
    if state == "between":
        complete(task)
    if state == "locked":
        transitions.detach(elsewhere.pk, owner_id=None, by="operator")
        type(agent).objects.update(subscriptions=[chain.channel.name, elsewhere.channel.name])
        transitions.assign_agent(elsewhere.pk, agent.pk, by="operator")

    assert refused(NotAssignable, transitions.assign_agent, chain, agent.pk, by="operator")


def test_a_draining_agent_is_refused():
    chain = make_chain()
    agent = make_subscriber(chain, draining=True)

    assert refused(AgentDraining, transitions.assign_agent, chain, agent.pk, by="operator")


def test_a_lost_agent_is_refused():
    chain = make_chain()
    agent = make_subscriber(chain, seen_ago=settings.AGENT_LOST_AFTER + timedelta(seconds=1))

    assert refused(AgentLost, transitions.assign_agent, chain, agent.pk, by="operator")


def test_an_unknown_agent_is_refused():
    assert refused(AgentUnknown, transitions.assign_agent, make_chain(), "nobody", by="operator")


def test_an_unknown_chain_cannot_be_assigned_or_detached():
    with pytest.raises(ChainUnknown):
        transitions.assign_agent(uuid4(), make_agent().pk, by="operator")
    with pytest.raises(ChainUnknown):
        transitions.detach(uuid4(), owner_id=None, by="operator")


def test_an_agent_at_its_capacity_gets_the_task_of_its_chain_once_there_is_room():
    chain = make_chain(tasks=1)
    agent = make_agent("agent-1", subscriptions=(chain.channel.name,), capacity=1)
    held = make_held_task(agent)
    transitions.assign_agent(chain.pk, agent.pk, by="tests")

    assert take(agent, chain.channel) == []
    complete(held)

    assert [task.chain_id for task in take(agent, chain.channel)] == [chain.pk]
