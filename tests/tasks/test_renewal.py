from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from agents.models import Agent
from events.models import Event
from tasks import leases, transitions
from tasks.exceptions import LeaseLost, NotHolder
from tasks.models import Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    silence,
    take,
)
from tests.tasks.verbs import failed, make_of_status, refuses

pytestmark = pytest.mark.django_db


def test_renew_extends_the_lease_and_may_change_its_length():
    task = make_task()
    agent = make_agent()
    held = give(agent, task.channel, lease_seconds=30)
    Task.objects.filter(pk=task.pk).update(lease_expires_at=held.claimed_at)

    assert leases.renew(task.pk, agent_id=agent.pk).lease_expires_at > held.claimed_at
    longer = leases.renew(task.pk, agent_id=agent.pk, epoch=1, lease_seconds=3600)

    assert longer.lease_seconds == 3600
    assert longer.lease_expires_at - held.claimed_at >= timedelta(hours=1)


def test_renew_without_lease_seconds_only_renews_presence():
    task = make_held_task(agent := make_agent())
    silence(agent)

    assert leases.renew(task.pk, agent_id=agent.pk).lease_expires_at is None
    assert Agent.objects.online().filter(pk=agent.pk).exists()


def test_renew_refuses_an_agent_that_does_not_hold_the_task():
    assert refuses(NotHolder, leases.renew, make_held_task(), agent_id=make_agent().pk)


def test_renew_refuses_another_epoch():
    task = make_held_task()

    assert refuses(LeaseLost, leases.renew, task, agent_id=task.agent_id, epoch=2)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.IN_PROGRESS}))
def test_renew_refuses_a_task_that_is_not_in_progress(status):
    task = make_of_status(status)

    assert refuses(NotHolder, leases.renew, task, agent_id=task.last_holder or "a")


def test_a_heartbeat_renews_those_listed_tasks_that_the_agent_holds():
    agent, channel = make_agent(), make_channel()
    tasks = make_tasks(4, channel=channel)
    for seconds in (30, 60, None):
        give(agent, channel, lease_seconds=seconds)
    give(make_agent(), channel, lease_seconds=30)
    Task.objects.exclude(lease_expires_at=None).update(lease_expires_at=Now())
    before = [fresh(task).lease_expires_at for task in tasks]

    held = leases.renew_listed(agent.pk, {task.pk: None for task in tasks} | {uuid4(): None})

    assert held == {task.pk for task in tasks[:3]}
    after = [fresh(task).lease_expires_at for task in tasks]
    assert after[0] - before[0] >= timedelta(seconds=30)
    assert after[1] - before[1] >= timedelta(seconds=60)
    assert after[2:] == [None, before[3]]


def test_a_heartbeat_does_not_renew_a_lease_with_another_epoch():
    task = make_held_task(agent := make_agent())

    assert leases.renew_listed(agent.pk, {task.pk: 7}) == set()
    assert leases.renew_listed(agent.pk, {task.pk: 1}) == {task.pk}


def test_the_current_task_is_the_last_one_claimed():
    agent, channel = make_agent(), make_channel()
    first, second = make_tasks(2, channel=channel)
    take(agent, channel, max_tasks=2)
    Task.objects.filter(pk=first.pk).update(claimed_at=Now())

    assert list(Task.objects.current_of([agent.pk])) == [first]
    failed(first)
    assert list(Task.objects.current_of([agent.pk])) == [second]


def test_asking_a_task_to_stop_writes_an_event():
    task = make_held_task()

    transitions.cancel(task.pk, by="somebody", reason="not wanted")

    event = Event.objects.get(type="task.cancel_asked", task_id=str(task.pk))
    assert (event.actor, event.reason, event.agent_id) == ("somebody", "not wanted", task.agent_id)
