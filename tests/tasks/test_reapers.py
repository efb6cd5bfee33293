"""What becomes of tasks without a chain whose lease ran out or whose agent fell silent."""

from datetime import timedelta

import pytest
from django.conf import settings

from chains import transitions as chains
from events.models import Event
from tasks import leases, reports, transitions
from tasks.fast_path import Outcome
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

pytestmark = pytest.mark.django_db


def lose(agent):
    silence(agent)
    taken_back = leases.release_lost()
    silence(agent, timedelta())
    return taken_back


def test_an_expired_lease_uses_an_attempt_and_the_task_is_tried_again():
    task = make_held_task(agent := make_agent("a"), priority=3)
    let_lease_run_out(task)

    assert len(leases.expire_leases().retried) == 1

    task = fresh(task)
    assert (task.status, task.attempts, task.agent) == (Status.QUEUED, 1, None)
    assert (task.lease_expires_at, task.claimed_at, task.last_holder) == (None, None, "a")
    attempt = Attempt.objects.get()
    assert (attempt.epoch, attempt.agent_id, attempt.outcome) == (1, "a", "expired")
    assert attempt.started_at
    line = Event.objects.about_task(task.pk).first()
    assert (line.type, line.actor, line.reason) == ("task.retried", "coordinator", "lease expired")
    assert line.agent_id == "a"
    assert give(agent, task.channel).lease_epoch == 2


def test_a_task_whose_attempts_are_spent_by_expiry_has_failed():
    task = make_held_task(max_attempts=1)
    let_lease_run_out(task)

    leases.expire_leases()

    task = fresh(task)
    assert (task.status, task.attempts, task.dead_letter) == (Status.FAILED, 1, "lease_expired")
    assert task.fail_reason == "lease expired, max attempts exceeded (1/1)"
    assert task.finished_at
    assert task.agent_id == task.last_holder
    assert Event.objects.about_task(task.pk).first().type == "task.failed"


def test_a_lease_that_still_runs_is_left_alone():
    task = make_task()
    held = give(make_agent(), task.channel, lease_seconds=60)
    without = make_held_task()

    assert not leases.expire_leases()

    assert fresh(held).status == fresh(without).status == Status.IN_PROGRESS


def test_a_lost_agents_tasks_are_tried_again_with_no_attempt_used():
    channel = make_channel()
    make_tasks(2, channel=channel)
    agent = make_agent("a")
    tasks = take(agent, channel, max_tasks=2)

    assert len(lose(agent).retried) == 2

    for task in map(fresh, tasks):
        assert (task.status, task.attempts, task.losses) == (Status.QUEUED, 0, 1)
        assert (task.agent, task.last_holder) == (None, "a")
        line = Event.objects.about_task(task.pk).first()
        assert (line.type, line.actor, line.reason) == ("task.retried", "coordinator", "agent lost")
    assert set(Attempt.objects.values_list("outcome", "agent_id")) == {("lost", "a")}


def test_three_losses_in_a_row_fail_a_task():
    task = make_held_task(agent := make_agent())
    for _ in range(settings.MAX_LOSSES - 1):
        lose(agent)
        give(agent, task.channel)

    lose(agent)

    task = fresh(task)
    assert (task.status, task.losses, task.attempts) == (Status.FAILED, settings.MAX_LOSSES, 0)
    assert task.dead_letter == "agents_lost"


def test_losses_that_are_not_in_a_row_do_not_add_up():
    task = make_held_task(agent := make_agent(), max_attempts=9)
    for _ in range(settings.MAX_LOSSES + 1):
        lose(agent)
        give(agent, task.channel)
        outcome = Outcome(task.pk, done=False, retriable=True)
        reports.report_in_transaction([outcome], agent_id=agent.pk, by="")
        give(agent, task.channel)

    assert fresh(task).status == Status.IN_PROGRESS


def test_an_agent_that_is_heard_of_keeps_its_tasks():
    task = make_held_task(agent := make_agent(seen_ago=settings.AGENT_LOST_AFTER * 2))

    leases.renew(task.pk, agent_id=agent.pk)

    assert not leases.release_lost()
    assert fresh(task).status == Status.IN_PROGRESS


@pytest.mark.parametrize("end", ["expiry", "loss"])
def test_a_cancellation_that_was_asked_takes_effect_when_the_hold_ends(end):
    task = make_held_task(agent := make_agent())
    transitions.cancel(task.pk, by="operator")

    if end == "expiry":
        let_lease_run_out(task)
        leases.expire_leases()
    else:
        lose(agent)

    task = fresh(task)
    assert (task.status, task.agent) == (Status.CANCELLED, agent)
    assert task.finished_at
    assert Event.objects.about_task(task.pk).first().type == "task.cancelled"


def test_tasks_of_chains_are_not_theirs_to_take_back():
    chain = make_chain(tasks=1)
    agent = make_agent()
    task = give(agent, chain.channel, lease_seconds=60)
    let_lease_run_out(task)
    silence(agent)

    assert not leases.expire_leases()
    assert not leases.release_lost()

    assert fresh(task).status == Status.IN_PROGRESS


def test_a_task_behind_in_line_waits_for_one_that_was_put_back():
    channel = make_channel()
    first, _ = make_tasks(2, channel=channel)
    give(make_agent(), channel)
    let_lease_run_out(first)
    leases.expire_leases()

    assert give(make_agent(), channel) == first


# In a chain: detached, and locked for a person.


@pytest.mark.parametrize(
    ("outcome", "attempts", "reason"),
    [("expired", 1, "lease expired"), ("lost", 0, "agent lost")],
)
def test_in_a_chain_the_task_is_locked_and_the_owner_is_cleared(outcome, attempts, reason):
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
    line = Event.objects.about_task(task.pk).first()
    assert (line.type, line.actor, line.reason) == ("task.locked", "coordinator", reason)
    assert take(make_agent(), chain.channel) == []


def test_a_lost_owner_between_two_steps_loses_its_chain_and_nothing_is_locked():
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel)
    reports.report_in_transaction([Outcome(task.pk, done=True)], agent_id=agent.pk, by="")
    silence(agent)

    assert chains.detach_lost() == 1

    chain = fresh(chain)
    assert (chain.status, chain.owner) == ("queued", None)
    assert give(make_agent(), chain.channel).sequence == 2


@pytest.mark.parametrize("end", ["expiry", "loss", "detach"])
def test_in_a_chain_too_a_cancellation_takes_effect_when_the_hold_ends(end):
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


def test_a_chain_that_nobody_owns_or_whose_agent_is_there_is_left_alone():
    make_chain(tasks=1)
    give(make_agent(), make_chain(tasks=1).channel)

    assert (chains.detach_expired(), chains.detach_lost()) == (0, 0)
    assert not Task.objects.locked().exists()
