from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from agents.exceptions import AgentDraining, AgentLost, AgentUnknown
from chains import transitions
from chains.exceptions import (
    ChainInUse,
    ChainUnknown,
    NotAssignable,
    NotOwner,
    NotSubscribed,
)
from chains.models import Chain, OnFailure
from events.models import Event
from tasks import reports
from tasks import transitions as tasks
from tasks.fastlane import Outcome
from tasks.models import Attempt, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_task,
    make_tasks,
    steps_of,
    take,
)

pytestmark = pytest.mark.django_db


def complete(task):
    reports.report([Outcome(task.pk, done=True)], agent_id=None, by="tests")


def fail(task, retriable=False):
    outcome = Outcome(task.pk, done=False, retriable=retriable)
    reports.report([outcome], agent_id=None, by="tests")


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


# Assign an agent.


def test_a_chain_is_given_to_an_agent_that_then_gets_its_tasks():
    chain = make_chain(tasks=2)
    agent = make_subscriber(chain)

    given = transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert (given.owner, given.status) == (agent, "in_progress")
    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel).sequence == 1
    assert lines(chain, "chain.acquired") == [
        ("chain.acquired", "operator", agent.pk, {"from": None, "to": agent.pk})
    ]


def test_giving_a_chain_to_its_owner_changes_nothing():
    chain = make_chain(tasks=1)
    agent = make_agent()
    give(agent, chain.channel)
    before = Chain.objects.values().get()

    transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert Chain.objects.values().get() == before


def test_a_chain_may_be_given_on_between_two_tasks():
    chain = make_chain(tasks=2)
    first, second = make_agent("first"), make_subscriber(chain)
    complete(give(first, chain.channel))

    transitions.assign_agent(chain.pk, second.pk, by="operator")

    assert picture(chain)[1] == ("queued", "turn", second.pk)
    assert take(first, chain.channel) == []


def test_a_locked_chain_may_be_given_and_still_gives_nothing_out():
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


def test_a_chain_that_does_not_bind_its_owner_is_released_for_the_new_one():
    old = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, old.channel))
    chain = make_chain(old.channel, tasks=1)
    type(agent).objects.filter(pk=agent.pk).update(subscriptions=[old.channel.name])

    transitions.assign_agent(chain.pk, agent.pk, by="operator")

    assert list(Chain.objects.owned_by(agent.pk)) == [chain]
    assert lines(old, "chain.released") == [
        ("chain.released", "operator", agent.pk, {"from": agent.pk, "to": None})
    ]


def test_a_chain_is_refused_to_an_agent_that_is_not_subscribed_to_its_channel():
    agent = make_agent(subscriptions=("elsewhere",))

    refusal = NotSubscribed("x")
    assert refusal.code == "agent_not_subscribed_channel"
    assert refused(NotSubscribed, transitions.assign_agent, make_chain(), agent.pk, by="operator")


def test_a_chain_is_refused_while_a_task_of_it_runs_for_another():
    chain = make_chain(tasks=2)
    give(make_agent(), chain.channel)
    agent = make_subscriber(chain)

    assert refused(NotAssignable, transitions.assign_agent, chain, agent.pk, by="operator")


@pytest.mark.parametrize("state", ["running", "between", "locked"])
def test_a_chain_is_refused_to_an_agent_that_is_bound_elsewhere(state):
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


def test_a_chain_is_refused_to_a_draining_agent():
    chain = make_chain()
    agent = make_subscriber(chain, draining=True)

    assert refused(AgentDraining, transitions.assign_agent, chain, agent.pk, by="operator")


def test_a_chain_is_refused_to_a_lost_agent():
    chain = make_chain()
    agent = make_subscriber(chain, seen_ago=settings.AGENT_LOST_AFTER + timedelta(seconds=1))

    assert refused(AgentLost, transitions.assign_agent, chain, agent.pk, by="operator")


def test_a_chain_is_refused_to_an_agent_never_heard_of():
    assert refused(AgentUnknown, transitions.assign_agent, make_chain(), "nobody", by="operator")


def test_a_chain_that_does_not_exist_cannot_be_given_or_detached():
    with pytest.raises(ChainUnknown):
        transitions.assign_agent(uuid4(), make_agent().pk, by="operator")
    with pytest.raises(ChainUnknown):
        transitions.detach(uuid4(), owner_id=None, by="operator")


# Detach.


def test_detaching_keeps_what_was_held_as_a_bad_attempt_and_tells_the_journal():
    chain = make_chain(tasks=2)
    agent = make_agent("a")
    task = give(agent, chain.channel, lease_seconds=60)

    transitions.detach(chain.pk, owner_id="a", by="operator", reason="stuck")

    assert picture(chain) == [("locked", "turn", "anyone"), ("queued", "-", "anyone")]
    assert (fresh(task).lease_expires_at, fresh(task).attempts) == (None, 0)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.agent_id, attempt.reason) == ("detached", "a", "stuck")
    assert lines(chain, "chain.released") == [
        ("chain.released", "operator", "a", {"from": "a", "to": None})
    ]
    line = Event.objects.about_task(task.pk).first()
    assert (line.type, line.actor, line.reason) == ("task.locked", "operator", "stuck")


def test_an_agent_may_claim_elsewhere_once_it_is_detached():
    chain = make_chain(tasks=2)
    agent = make_agent()
    give(agent, chain.channel)
    make_task(chain.channel)
    assert take(agent, chain.channel) == []

    transitions.detach(chain.pk, owner_id=agent.pk, by="operator")

    assert give(agent, chain.channel).chain is None


def test_a_chain_without_an_owner_is_nobodys_to_detach():
    assert refused(NotOwner, transitions.detach, make_chain(tasks=1), owner_id="a", by="a")


# Delete.


@pytest.mark.parametrize("state", ["running", "locked"])
def test_a_chain_in_use_is_not_deleted(state):
    chain = make_chain(tasks=2)
    give(make_agent(), chain.channel)
    if state == "locked":
        transitions.detach(chain.pk, owner_id=None, by="operator")

    assert refused(ChainInUse, transitions.delete, chain, by="operator")


def test_deleting_a_chain_sets_its_owner_free():
    chain = make_chain(tasks=2)
    agent = make_agent()
    complete(give(agent, chain.channel))

    transitions.delete(chain.pk, by="operator")

    make_task(chain.channel)
    assert give(agent, chain.channel).chain is None
    deleted = Event.objects.filter(type__in=["chain.deleted", "task.deleted"])
    assert {line.actor for line in deleted} == {"operator"}
    assert deleted.count() == 3


def test_deleting_a_chain_leaves_other_tasks_alone():
    chain = make_chain(tasks=2)
    others = [make_task(chain.channel), *steps_of(make_chain(chain.channel, tasks=1))]

    transitions.delete(chain.pk, by="operator")

    assert list(Task.objects.order_by("id")) == others


# A chain that stops on failure.


def test_nothing_behind_a_failed_task_has_a_turn_in_a_chain_that_stops():
    chain = make_chain(tasks=3, on_failure=OnFailure.STOP)
    agent = make_agent()

    fail(give(agent, chain.channel))

    assert [step[1] for step in picture(chain)] == ["turn", "-", "-"]
    assert fresh(chain).status == "failed"
    assert take(agent, chain.channel) == []


def test_a_stopped_chain_binds_nobody():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))
    assert fresh(chain).owner == agent

    make_task(chain.channel)
    assert give(agent, chain.channel).chain is None

    assert fresh(chain).owner is None


def test_a_stopped_chain_goes_on_when_the_failed_task_is_requeued():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))

    tasks.requeue(steps_of(chain)[0].pk, by="operator")

    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert give(agent, chain.channel).sequence == 1


def test_a_stopped_chain_goes_on_when_it_is_told_to_continue():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))

    transitions.edit(chain.pk, {"on_failure": OnFailure.CONTINUE}, by="operator")

    assert picture(chain)[1] == ("queued", "turn", agent.pk)
    assert lines(chain, "chain.edited")[0][1] == "operator"


def test_a_chain_told_to_stop_takes_the_turn_back():
    chain = make_chain(tasks=2)
    agent = make_agent()
    fail(give(agent, chain.channel))
    assert picture(chain)[1][1] == "turn"

    transitions.edit(chain.pk, {"on_failure": OnFailure.STOP}, by="operator")

    assert picture(chain)[1] == ("queued", "-", "anyone")


def test_a_retry_is_no_failure_that_stops_a_chain():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()

    fail(give(agent, chain.channel), retriable=True)

    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel).sequence == 1


# Status.


def test_a_chains_status_follows_its_tasks_and_owner():
    chain = make_chain()
    agent = make_subscriber(chain)
    seen = [chain.status]

    def see():
        seen.append(fresh(chain).status)

    transitions.assign_agent(chain.pk, agent.pk, by="operator")
    see()
    transitions.detach(chain.pk, owner_id=None, by="operator")
    see()
    make_tasks(3, chain=chain)
    give(agent, chain.channel)
    see()
    transitions.detach(chain.pk, owner_id=None, by="operator")
    see()
    tasks.unlock(steps_of(chain)[0].pk, Status.DONE, by="operator")
    see()
    second = give(agent, chain.channel)
    see()
    fail(second)
    see()
    tasks.cancel(steps_of(chain)[2].pk, by="operator")
    see()
    tasks.requeue(steps_of(chain)[1].pk, by="operator")
    see()
    complete(give(agent, chain.channel))
    see()

    assert seen == [
        "queued",  # made
        "in_progress",  # owned
        "queued",  # detached
        "in_progress",  # claimed from
        "locked",  # detached while a task ran
        "queued",  # unlocked
        "in_progress",  # claimed from
        "failed",
        "failed",  # nothing left to do
        "in_progress",  # requeued, owned
        "done",
    ]
    told = [line[3]["to"] for line in lines(chain, "chain.progressed")]
    assert told == [status for n, status in enumerate(seen) if n and status != seen[n - 1]]


def test_a_cancelled_task_does_not_keep_a_chain_from_being_done():
    chain = make_chain(tasks=2)
    complete(give(make_agent(), chain.channel))

    tasks.cancel(steps_of(chain)[1].pk, by="operator")

    assert fresh(chain).status == "done"


def test_one_chain_leaves_the_tasks_of_others_alone():
    held = make_held_task()
    before = Task.objects.values().get(pk=held.pk)
    chain = make_chain(held.channel, tasks=2)

    complete(give(make_agent(), chain.channel))
    transitions.detach(chain.pk, owner_id=None, by="operator")

    assert Task.objects.values().get(pk=held.pk) == before
