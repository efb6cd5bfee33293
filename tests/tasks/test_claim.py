"""What an agent gets by a claim, by both paths, and what a claim changes."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.models import Agent, Protocol
from chains import transitions as chains
from events.models import Event
from tasks import claims, requirements
from tasks.models import ClaimKey, Task
from tasks.rows import ClaimRequest
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    make_tasks,
    run_fast,
    silence,
    stored,
    take,
)
from tests.tasks.paths import both_paths, by_either_path
from tests.tasks.reporting import complete
from tests.tasks.verbs import ENDS, expire

pytestmark = pytest.mark.django_db


def claim_with(key, agent, *channels, max_tasks=1):
    ids = [channel.pk for channel in channels]
    request = ClaimRequest(agent.pk, ids=ids, max_tasks=max_tasks, key=key)
    return stored(claims.claim(request))


@both_paths
def test_a_claim_gives_a_task_to_the_agent_and_writes_an_event(claim):
    task = make_task()
    agent = make_agent("a")

    assert claim("a", task.channel) == [task.pk]

    claimed = fresh(task)
    assert (claimed.status, claimed.agent, claimed.last_holder) == (Status.IN_PROGRESS, agent, "a")
    assert (claimed.lease_epoch, claimed.closed_epoch, claimed.attempts) == (1, 0, 0)
    assert claimed.claimed_at
    assert claimed.lease_expires_at is None
    event = Event.objects.about_task(task.pk).first()
    assert (event.type, event.actor, event.agent_id) == ("task.claimed", "agent:a", "a")
    assert event.payload == {"from": "queued", "to": "in_progress", "lease_epoch": 1}


@both_paths
def test_a_lease_is_as_long_as_the_claim_asks(claim):
    task = make_task()

    claim("a", task.channel, lease_seconds=90)

    claimed = fresh(task)
    assert claimed.lease_seconds == 90
    assert claimed.lease_expires_at - claimed.claimed_at == timedelta(seconds=90)


@both_paths
def test_a_claim_that_finds_nothing_registers_an_unknown_agent(claim):
    channel = make_channel()

    assert claim("new", channel) == []

    assert not run_fast("new", channel=channel.pk).overtaken
    assert Agent.objects.online().filter(pk="new").exists()


@both_paths
def test_a_claim_renews_the_presence_of_its_agent(claim):
    agent = make_agent()
    silence(agent)

    claim(agent.pk, make_channel())

    assert Agent.objects.online().filter(pk=agent.pk).exists()


def test_a_claim_stores_the_protocol_of_a_new_agent_only():
    make_agent("old", seen_ago=timedelta(hours=1))

    for agent_id in ("old", "spot-1"):
        by_either_path(agent_id, make_channel(), protocol=Protocol.SPOT)

    assert Agent.objects.get(pk="spot-1").protocol == Protocol.SPOT
    assert set(Agent.objects.online().values_list("pk", flat=True)) == {"spot-1", "old"}


@both_paths
def test_a_claim_gives_tasks_only_from_its_channels(claim):
    make_task()

    assert claim("a", make_channel()) == []
    assert claim("a") == []


@both_paths
@pytest.mark.parametrize("by", ["ids", "names"])
def test_several_channels_are_one_queue(claim, by):
    one, two, three = make_channel("one"), make_channel("two"), make_channel("three")
    expected = [
        make_task(two, priority=9),
        make_task(one, priority=5),
        make_task(two),
        make_task(one),
    ]
    make_task(three, priority=99)

    if by == "ids":
        claimed = claim("a", one, two, max_tasks=9)
    else:
        claimed = claim("a", names=["ONE", "two", "nowhere"], max_tasks=9)

    assert claimed == [task.pk for task in expected]


@both_paths
def test_a_claim_passes_over_tasks_that_are_not_free(claim):
    chain = make_chain(tasks=2)
    owner = make_agent(subscriptions=(chain.channel.name,))
    chains.assign_agent(chain.pk, owner.pk, by="operator")
    later = Now() + timedelta(minutes=1)
    make_task(chain.channel, assign_only=True)
    make_task(chain.channel, available_at=later)
    make_task(chain.channel, available_at=later, requirement=requirements.of({"algorithm": "PSO"}))
    free = make_task(chain.channel, type="of any type")

    assert claim("a", chain.channel, max_tasks=9) == [free.pk]


@both_paths
def test_a_draining_agent_gets_nothing(claim):
    channel = make_channel()
    make_task(channel)
    make_task(channel, requirement=requirements.of({"algorithm": "PSO"}))
    make_agent("a", draining=True)

    assert claim("a", channel, max_tasks=9) == []


@pytest.mark.parametrize("protocol", [Protocol.PLAIN, Protocol.SPOT])
def test_the_first_task_decides_whether_a_claim_gives_a_chains_task(protocol):
    channel = make_channel()
    make_agent("a", offers={"algorithm": ["PSO"]})
    pso, ga = (requirements.of({"algorithm": name}) for name in ("PSO", "GA"))
    before = make_task(channel, priority=2, requirement=pso)
    unsuitable = make_task(channel, priority=2, requirement=ga)
    chain = make_chain(channel, tasks=1)
    Task.objects.filter(chain=chain).update(priority=1)
    behind = [make_task(channel, requirement=pso), make_task(channel)]

    def claim():
        return by_either_path("a", channel, max_tasks=9, protocol=protocol)

    assert claim() == [before.pk, *[task.pk for task in behind]]
    assert run_fast("a", channel=channel.pk) is None
    assert claim() == [chain.tasks.get().pk]
    assert claim() == []
    assert fresh(unsuitable).status == Status.QUEUED


def test_a_chains_task_is_claimed_alone():
    channel = make_channel()
    chain = make_chain(channel, tasks=2)
    make_tasks(3, channel=channel)
    Task.objects.filter(chain=chain).update(priority=1)

    claimed = take(make_agent(), channel, max_tasks=10)

    assert [(task.chain, task.sequence) for task in claimed] == [(chain, 1)]


# Keys.


def test_the_same_key_gets_those_of_the_same_tasks_that_are_still_held():
    channel = make_channel()
    make_tasks(5, channel=channel)
    agent = make_agent()
    claimed = claim_with("k", agent, channel, max_tasks=3)
    assert claim_with("k", agent, channel, max_tasks=3) == claimed
    complete(claimed[0], by=agent)

    assert claim_with("k", agent, channel, max_tasks=3) == claimed[1:]
    assert Task.objects.in_progress().count() == 2


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_same_key_is_a_new_claim_once_nothing_of_it_is_held(end):
    channel = make_channel()
    lost, taken, second = make_tasks(3, channel=channel)
    agent, other = make_agent(), make_agent()
    claim_with("k", agent, channel, max_tasks=2)
    for task in (lost, taken):
        end(task) if fresh(task).agent else None
    assert take(other, channel, max_tasks=2) == [lost, taken]

    assert claim_with("k", agent, channel, max_tasks=2) == [second]
    assert claim_with("k", agent, channel, max_tasks=2) == [second]


def test_a_key_does_not_answer_with_a_later_lease_of_the_same_task():
    task = make_task()
    agent = make_agent()
    claim_with("k", agent, task.channel)
    expire(task)
    give(agent, task.channel)

    assert claim_with("k", agent, task.channel) == []


def test_a_known_key_is_answered_before_the_channels_are_read():
    task = make_task()
    agent = make_agent()
    claim_with("k", agent, task.channel)
    Agent.objects.filter(pk=agent.pk).update(draining=True)

    assert claim_with("k", agent) == [task]


def test_two_agents_may_use_the_same_key():
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


def test_a_key_whose_tasks_were_deleted_can_be_used_again():
    channel = make_channel()
    agent = make_agent()
    chain = make_chain(channel, tasks=1)
    claim_with("k", agent, channel)
    Task.objects.update(status=Status.DONE, finished_at=Now(), reserved_for=None)
    chains.delete(chain.pk, by="operator")
    task = make_task(channel)

    assert claim_with("k", agent, channel) == [task]
    assert ClaimKey.objects.get().task_ids == [task.pk]


# Chains.


@pytest.mark.parametrize("protocol", [Protocol.PLAIN, Protocol.SPOT])
@pytest.mark.parametrize("wants", [{}, {"algorithm": "PSO"}], ids=["plain", "wanting"])
def test_a_bound_agent_gets_no_task_but_the_next_step_of_its_chain(protocol, wants):
    chain = make_chain(tasks=2)
    give(make_agent("a"), chain.channel)
    task = make_task(chain.channel, priority=9, requirement=requirements.of(wants))

    assert by_either_path("a", chain.channel, max_tasks=5, protocol=protocol) == []
    assert by_either_path("b", chain.channel) == [task.pk]


@pytest.mark.parametrize("wants", [{}, {"algorithm": "PSO"}], ids=["plain", "wanting"])
def test_claiming_another_task_releases_a_chain_that_does_not_bind(wants):
    chain = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, chain.channel), by=agent)
    assert take(agent, chain.channel) == []
    assert fresh(chain).owner == agent

    task = make_task(chain.channel, requirement=requirements.of(wants))
    assert give(agent, chain.channel) == task

    assert fresh(chain).owner is None
    event = Event.objects.about_chain(chain.pk).filter(type="chain.released").get()
    assert (event.actor, event.payload) == (f"agent:{agent.pk}", {"from": agent.pk, "to": None})
    assert fresh(agent) == agent


def test_forty_agents_get_forty_chains_in_their_order():
    channel = make_channel()
    expected = [make_chain(channel, tasks=1) for _ in range(40)]

    assert [give(make_agent(), channel).chain for _ in expected] == expected


@both_paths
@pytest.mark.parametrize("chains", [3, 70])
def test_a_batch_that_begins_with_a_chainless_task_is_filled_from_behind_chains(claim, chains):
    channel = make_channel()
    make_task(channel, priority=5)
    for _ in range(chains):
        make_tasks(1, chain=make_chain(channel), priority=1)
    make_tasks(20, channel=channel)

    given = claim("a", channel, max_tasks=10)

    assert len(given) == 10
    assert not Task.objects.held_by("a").exclude(chain=None).exists()
