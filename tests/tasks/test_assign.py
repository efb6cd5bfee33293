from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models.functions import Now

from agents.exceptions import AgentLost
from agents.models import Agent, Protocol
from console.previews import foretell
from tasks import leases, transitions
from tasks.exceptions import NotReady, WrongStatus
from tasks.models import Task
from tasks.states import Status
from tasks.verbs import TASK_VERBS
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_task,
    steps_of,
)
from tests.tasks.reporting import complete
from tests.tasks.verbs import last_event, make_locked_task, make_of_status, refuses

pytestmark = pytest.mark.django_db


def test_assign_gives_a_queued_task_to_a_named_agent():
    task = make_task()
    agent = make_agent("a")

    given = fresh(Task(pk=transitions.assign(task.pk, "a", by="operator").id))

    assert (given.status, given.agent, given.last_holder) == (Status.IN_PROGRESS, agent, "a")
    assert (given.lease_epoch, given.lease_expires_at) == (1, None)
    assert last_event(task) == ("task.claimed", "operator", "")


def test_assign_again_changes_nothing():
    task = make_task()
    transitions.assign(task.pk, "a", by="operator")
    before = Task.objects.values().get(pk=task.pk)

    transitions.assign(task.pk, "a", by="operator")

    assert Task.objects.values().get(pk=task.pk) == before


def test_assign_registers_an_unknown_agent():
    transitions.assign(make_task().pk, "new", by="operator")

    assert Agent.objects.filter(pk="new").exists()


def test_assign_does_not_renew_the_agents_presence():
    agent = make_agent(seen_ago=timedelta(minutes=5))

    transitions.assign(make_task().pk, agent.pk, by="operator")

    assert fresh(agent).last_seen_at == agent.last_seen_at


def test_assign_accepts_a_session_request():
    task = make_task(assign_only=True)

    assert transitions.assign(task.pk, "a", by="operator").status == Status.IN_PROGRESS


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED}))
def test_assign_refuses_a_task_that_is_not_queued(status):
    assert refuses(WrongStatus, transitions.assign, make_of_status(status), "b", by="operator")


def test_assign_refuses_a_draining_agent():
    agent = make_agent(draining=True)

    assert refuses(NotReady, transitions.assign, make_task(), agent.pk, by="operator")


def test_assign_refuses_a_lost_agent_so_no_pass_takes_the_task_back():
    agent = make_agent(seen_ago=settings.AGENT_LOST_AFTER)
    spot = make_agent(seen_ago=settings.SPOT_LOST_AFTER, protocol=Protocol.SPOT)
    step = steps_of(make_chain(tasks=1))[0]

    for lost in (agent, spot):
        for task in (make_task(), step):
            assert refuses(AgentLost, transitions.assign, task, lost.pk, by="operator")
    assert not leases.release_lost()


def test_assign_accepts_an_agent_that_is_only_offline():
    agent = make_agent(seen_ago=settings.AGENT_ONLINE_WITHIN * 2)

    transitions.assign(make_task().pk, agent.pk, by="operator")

    assert not leases.release_lost()


def test_assign_refuses_a_postponed_task():
    task = make_task(available_at=Now() + timedelta(minutes=1))

    assert refuses(NotReady, transitions.assign, task, "a", by="operator")


def test_assign_refuses_a_blocked_task():
    _, second = steps_of(make_chain(tasks=2))

    assert refuses(NotReady, transitions.assign, second, "a", by="operator")


def test_assign_refuses_a_task_behind_a_locked_one():
    locked = make_locked_task(steps=2)

    assert refuses(NotReady, transitions.assign, steps_of(locked.chain)[1], "a", by="operator")


def test_assign_refuses_a_task_of_a_chain_that_another_agent_owns():
    chain = make_chain(tasks=2)
    task = give(make_agent(), chain.channel)
    complete(task)

    assert refuses(NotReady, transitions.assign, steps_of(chain)[1], "b", by="operator")


def test_assign_refuses_an_agent_that_is_bound_to_a_chain():
    agent = make_agent()
    give(agent, make_chain(tasks=1).channel)

    assert refuses(NotReady, transitions.assign, make_task(), agent.pk, by="operator")


def test_assign_makes_the_agent_the_owner_of_the_tasks_chain():
    chain = make_chain(tasks=2)
    first, _ = steps_of(chain)

    transitions.assign(first.pk, "a", by="operator")

    chain = fresh(chain)
    assert (chain.owner_id, chain.status) == ("a", "in_progress")
    assert fresh(first).reserved_for_id == "a"


def test_assign_gives_the_owner_of_a_chain_its_next_task():
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel)
    complete(task)

    given = fresh(Task(pk=transitions.assign(steps_of(chain)[1].pk, agent.pk, by="operator").id))

    assert (given.status, given.agent) == (Status.IN_PROGRESS, agent)


def test_assign_refuses_an_agent_at_its_capacity():
    make_held_task(agent := make_agent("a", capacity=1))
    task = make_task()

    assert refuses(NotReady, transitions.assign, task, "a", by="operator")
    verb = next(one for one in TASK_VERBS if one.name == "reassign")
    told = foretell(verb, Task.objects.filter(pk=task.pk), {"agent": agent})
    assert (told.done, [one.code for one in told.refused]) == (0, [NotReady.code])
