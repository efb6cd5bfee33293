"""The reapers: the ends of expired leases and of the leases of lost agents."""

from datetime import timedelta

import pytest
from django.conf import settings

from chains import transitions as chains
from events.models import Event
from tasks import leases, transitions
from tasks.models import Attempt, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    silence,
    take,
)
from tests.tasks.reporting import complete, fail
from tests.tasks.verbs import ENDS, expire, last_event, lose

pytestmark = pytest.mark.django_db


def lose_for_a_while(agent):
    tasks = lose(agent)
    silence(agent, timedelta())
    return tasks


def test_an_expired_lease_uses_an_attempt_and_the_task_is_tried_again():
    task = make_held_task(agent := make_agent("a"), priority=3)

    assert len(expire(task).retried) == 1

    task = fresh(task)
    assert (task.status, task.attempts, task.agent) == (Status.QUEUED, 1, None)
    assert (task.lease_expires_at, task.claimed_at, task.last_holder) == (None, None, "a")
    attempt = Attempt.objects.get()
    assert (attempt.epoch, attempt.agent_id, attempt.outcome) == (1, "a", "expired")
    assert attempt.started_at
    assert last_event(task) == ("task.retried", "coordinator", "lease expired")
    assert Event.objects.about_task(task.pk).first().agent_id == "a"
    assert give(agent, task.channel).lease_epoch == 2


def test_an_expired_lease_fails_a_task_without_attempts_left():
    task = make_held_task(max_attempts=1)

    expire(task)

    task = fresh(task)
    assert (task.status, task.attempts, task.dead_letter) == (Status.FAILED, 1, "lease_expired")
    assert task.fail_reason == "lease expired, max attempts exceeded (1/1)"
    assert task.finished_at
    assert task.agent_id == task.last_holder
    assert Event.objects.about_task(task.pk).first().type == "task.failed"


def test_a_lease_that_has_not_expired_is_not_ended():
    task = make_task()
    held = give(make_agent(), task.channel, lease_seconds=60)
    without = make_held_task()

    assert not leases.expire_leases()

    assert fresh(held).status == fresh(without).status == Status.IN_PROGRESS


def test_the_tasks_of_a_lost_agent_are_tried_again_and_use_no_attempt():
    channel = make_channel()
    make_tasks(2, channel=channel)
    agent = make_agent("a")
    tasks = take(agent, channel, max_tasks=2)
    leases.renew_listed("a", {task.pk: None for task in tasks})

    assert len(lose_for_a_while(agent).retried) == 2

    for task in map(fresh, tasks):
        assert (task.status, task.attempts, task.losses) == (Status.QUEUED, 0, 1)
        assert (task.agent, task.last_holder) == (None, "a")
        assert last_event(task) == ("task.retried", "coordinator", "agent lost")
    assert set(Attempt.objects.values_list("outcome", "agent_id")) == {("lost", "a")}


def test_three_agents_lost_in_a_row_fail_a_task():
    task = make_held_task(agent := make_agent())
    for _ in range(settings.MAX_LOSSES - 1):
        lose_for_a_while(agent)
        give(agent := make_agent(), task.channel)

    lose_for_a_while(agent)

    task = fresh(task)
    assert (task.status, task.losses, task.attempts) == (Status.FAILED, settings.MAX_LOSSES, 0)
    assert task.dead_letter == "agents_lost"


def test_only_losses_in_a_row_are_counted():
    task = make_held_task(agent := make_agent(), max_attempts=9)
    for _ in range(settings.MAX_LOSSES + 1):
        lose_for_a_while(agent)
        give(agent := make_agent(), task.channel)
        fail(task, by=agent, retriable=True)
        give(agent, task.channel)

    assert fresh(task).status == Status.IN_PROGRESS


def test_an_agent_that_was_seen_again_keeps_its_tasks():
    task = make_held_task(agent := make_agent(seen_ago=settings.AGENT_LOST_AFTER * 2))

    leases.renew(task.pk, agent_id=agent.pk)

    assert not leases.release_lost()
    assert fresh(task).status == Status.IN_PROGRESS


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_end_of_a_lease_cancels_a_task_that_was_asked_to_stop(end):
    task = make_held_task(agent := make_agent())
    transitions.cancel(task.pk, by="operator")

    end(task)

    task = fresh(task)
    assert (task.status, task.agent) == (Status.CANCELLED, agent)
    assert task.finished_at
    assert Event.objects.about_task(task.pk).first().type == "task.cancelled"


def test_leases_of_chains_are_not_ended_one_by_one():
    chain = make_chain(tasks=1)
    agent = make_agent()
    task = give(agent, chain.channel, lease_seconds=60)
    let_lease_run_out(task)
    silence(agent)

    assert not leases.expire_leases()
    assert not leases.release_lost()

    assert fresh(task).status == Status.IN_PROGRESS


def test_a_task_that_was_put_back_is_claimed_before_those_behind_it():
    channel = make_channel()
    first, _ = make_tasks(2, channel=channel)
    give(make_agent(), channel)
    expire(first)

    assert give(make_agent(), channel) == first


# Chains: detached, and locked for a person.


@pytest.mark.parametrize(
    ("outcome", "attempts", "reason"),
    [("expired", 1, "lease expired"), ("lost", 0, "agent lost")],
)
def test_the_end_of_a_lease_locks_a_step_and_detaches_its_chain(outcome, attempts, reason):
    chain = make_chain(tasks=2)
    agent = make_agent("a")
    task = give(agent, chain.channel, lease_seconds=60)

    if outcome == "expired":
        let_lease_run_out(task)
        assert (chains.detach_expired(), chains.detach_lost()) == (1, 0)
    else:
        silence(agent)
        assert (chains.detach_expired(), chains.detach_lost()) == (0, 1)

    task, chain = fresh(task), fresh(chain)
    assert (task.status, task.agent, task.attempts) == (Status.LOCKED, agent, attempts)
    assert (chain.status, chain.owner) == ("locked", None)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.agent_id, attempt.epoch) == (outcome, "a", 1)
    assert last_event(task) == ("task.locked", "coordinator", reason)
    assert take(make_agent(), chain.channel) == []


def test_an_owner_that_is_lost_between_two_steps_loses_its_chain_without_a_lock():
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel)
    complete(task, by=agent)
    silence(agent)

    assert chains.detach_lost() == 1

    chain = fresh(chain)
    assert (chain.status, chain.owner) == ("queued", None)
    assert give(make_agent(), chain.channel).sequence == 2


@pytest.mark.parametrize("end", ["expiry", "loss", "detach"])
def test_the_end_of_a_lease_cancels_a_step_that_was_asked_to_stop(end):
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel, lease_seconds=60)
    transitions.cancel(task.pk, by="operator")

    if end == "expiry":
        let_lease_run_out(task)
        chains.detach_expired()
    elif end == "loss":
        silence(agent)
        chains.detach_lost()
    else:
        chains.detach(chain.pk, owner_id=agent.pk, by="operator")

    assert fresh(task).status == Status.CANCELLED
    assert give(make_agent(), chain.channel).sequence == 2


def test_only_chains_of_lost_agents_and_expired_leases_are_detached():
    make_chain(tasks=1)
    give(make_agent(), make_chain(tasks=1).channel)

    assert (chains.detach_expired(), chains.detach_lost()) == (0, 0)
    assert not Task.objects.locked().exists()
