from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.models import Agent
from chains import transitions as chains
from events.models import Event
from tasks import claims
from tasks.fast_path import ClaimRequest
from tasks.models import ClaimKey, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    make_tasks,
    silence,
    stored,
    take,
)

pytestmark = pytest.mark.django_db


def claim_with(key, agent, *channels, max_tasks=1):
    ids = [channel.pk for channel in channels]
    request = ClaimRequest(agent.pk, ids=ids, max_tasks=max_tasks, key=key)
    return stored(claims.claim(request))


def test_a_claim_gives_a_task_to_the_agent_and_the_journal_says_so():
    task = make_task()
    agent = make_agent("a")

    claimed = give(agent, task.channel)

    assert claimed == task
    assert (claimed.status, claimed.agent, claimed.last_holder) == (Status.IN_PROGRESS, agent, "a")
    assert (claimed.lease_epoch, claimed.closed_epoch, claimed.attempts) == (1, 0, 0)
    assert claimed.claimed_at
    assert claimed.lease_expires_at is None
    line = Event.objects.about_task(task.pk).first()
    assert (line.type, line.actor, line.agent_id) == ("task.claimed", "agent:a", "a")
    assert line.payload == {"from": "queued", "to": "in_progress", "lease_epoch": 1}


def test_a_lease_is_as_long_as_the_agent_wishes():
    task = make_task()

    claimed = give(make_agent(), task.channel, lease_seconds=90)

    assert claimed.lease_seconds == 90
    assert claimed.lease_expires_at - claimed.claimed_at == timedelta(seconds=90)


def test_an_agent_never_heard_of_is_registered_by_its_claim():
    request = ClaimRequest(agent_id="new", ids=[make_channel().pk])

    assert claims.claim(request) == []
    assert Agent.objects.online().filter(pk="new").exists()


def test_a_claim_renews_the_presence_of_its_agent():
    agent = make_agent()
    silence(agent)

    take(agent, make_channel())

    assert Agent.objects.online().filter(pk=agent.pk).exists()


def test_a_claim_looks_only_into_its_channels():
    make_task()

    assert take(make_agent(), make_channel()) == []
    assert take(make_agent()) == []


def test_several_channels_are_one_line():
    one, two, three = make_channel(), make_channel(), make_channel()
    expected = [
        make_task(two, priority=9),
        make_task(one, priority=5),
        make_task(two),
        make_task(one),
    ]
    make_task(three, priority=99)

    assert take(make_agent(), one, two, max_tasks=10) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"available_at": Now() + timedelta(minutes=1)},
        {"assign_only": True},
    ],
    ids=["later", "session request"],
)
def test_a_task_that_is_not_ready_is_not_given_out(fields):
    task = make_task(**fields)

    assert take(make_agent(), task.channel) == []


def test_a_draining_agent_gets_nothing_new():
    task = make_task()

    assert take(make_agent(draining=True), task.channel) == []


def test_the_first_in_order_decides_whether_a_batch_is_a_chains():
    channel = make_channel()
    chain = make_chain(channel, tasks=2)
    alone = make_tasks(3, channel=channel)
    Task.objects.filter(pk=alone[0].pk).update(priority=1)

    first = take(make_agent(), channel, max_tasks=10)
    assert first == alone

    second = take(make_agent(), channel, max_tasks=10)
    assert [task.chain for task in second] == [chain]


def test_a_chains_task_comes_alone():
    channel = make_channel()
    chain = make_chain(channel, tasks=2)
    make_tasks(3, channel=channel)
    Task.objects.filter(chain=chain).update(priority=1)

    claimed = take(make_agent(), channel, max_tasks=10)

    assert [(task.chain, task.sequence) for task in claimed] == [(chain, 1)]


def test_a_batch_has_no_more_tasks_than_wished_for():
    channel = make_channel()
    make_tasks(5, channel=channel)

    assert len(take(make_agent(), channel, max_tasks=3)) == 3


# Keys.


def test_the_same_key_gets_the_same_tasks_as_they_are_now():
    channel = make_channel()
    make_tasks(5, channel=channel)
    agent = make_agent()
    claimed = claim_with("k", agent, channel, max_tasks=2)
    Task.objects.filter(pk=claimed[0].pk).update(status=Status.DONE, finished_at=Now())

    again = claim_with("k", agent, channel, max_tasks=2)

    assert again == claimed
    assert [task.status for task in again] == [Status.DONE, Status.IN_PROGRESS]
    assert Task.objects.in_progress().count() == 1


def test_a_known_key_is_answered_before_the_channels_are_looked_at():
    task = make_task()
    agent = make_agent()
    claim_with("k", agent, task.channel)
    Agent.objects.filter(pk=agent.pk).update(draining=True)

    assert claim_with("k", agent) == [task]


def test_a_key_is_the_agents_own():
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)

    assert claim_with("k", make_agent(), channel) == [first]
    assert claim_with("k", make_agent(), channel) == [second]


def test_a_claim_that_finds_nothing_uses_up_no_key():
    channel = make_channel()
    agent = make_agent()
    assert claim_with("k", agent, channel) == []

    task = make_task(channel)

    assert claim_with("k", agent, channel) == [task]


def test_a_key_whose_tasks_are_gone_is_used_anew():
    channel = make_channel()
    agent = make_agent()
    chain = make_chain(channel, tasks=1)
    claim_with("k", agent, channel)
    Task.objects.update(status=Status.DONE, finished_at=Now(), reserved_for=None)
    chains.delete(chain.pk, by="operator")
    task = make_task(channel)

    assert claim_with("k", agent, channel) == [task]
    assert ClaimKey.objects.get().task_ids == [task.pk]


# Chains: what a claim respects and what it changes.


def test_a_bound_agent_gets_only_its_next_step():
    channel = make_channel()
    make_chain(channel, tasks=2)
    agent = make_agent()
    give(agent, channel)
    make_task(channel, priority=9)

    assert take(agent, channel, max_tasks=5) == []


def test_taking_a_task_elsewhere_ends_the_ownership_of_a_chain_that_does_not_bind():
    chain = make_chain(tasks=1)
    agent = make_agent()
    step = give(agent, chain.channel)
    Task.objects.filter(pk=step.pk).update(status=Status.DONE, finished_at=Now(), reserved_for=None)
    assert take(agent, chain.channel) == []
    assert fresh(chain).owner == agent

    make_task(chain.channel)
    give(agent, chain.channel)

    assert fresh(chain).owner is None
    line = Event.objects.about_chain(chain.pk).filter(type="chain.released").get()
    assert (line.actor, line.payload) == (f"agent:{agent.pk}", {"from": agent.pk, "to": None})
    assert fresh(agent) == agent


def test_looking_far_ahead_passes_over_what_others_are_taking():
    channel = make_channel()
    chain_steps = [make_chain(channel, tasks=1) for _ in range(40)]

    owners = [give(make_agent(), channel).chain for _ in chain_steps]

    assert owners == chain_steps
