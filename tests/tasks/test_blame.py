"""What an agent is blamed for when it is lost or lets leases run out: what it had begun."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from tasks import leases, releases
from tasks.models import Attempt, Task
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
    take,
)
from tests.tasks.reporting import ACCEPTED, complete, fail
from tests.tasks.verbs import lose

pytestmark = pytest.mark.django_db

MANY = 10


@pytest.fixture
def fetched(agent):
    """The tasks that the agent has fetched with one claim, with leases."""
    channel = make_channel()
    make_tasks(MANY, channel=channel)
    return take(agent, channel, max_tasks=MANY, lease_seconds=60)


def name(*tasks):
    """The agent lists these tasks in a heartbeat."""
    assert leases.renew_listed(tasks[0].agent_id, {task.pk: None for task in tasks})


def let_leases_run_out(*tasks):
    held = Task.objects.filter(pk__in=[task.pk for task in tasks])
    held.update(lease_expires_at=F("claimed_at") - timedelta(seconds=1))
    return leases.expire_leases()


def losses(tasks):
    return [fresh(task).losses for task in tasks]


def attempts(tasks):
    return [fresh(task).attempts for task in tasks]


def test_a_lost_agent_is_blamed_for_the_tasks_that_it_named(agent, fetched):
    name(fetched[3], fetched[5])

    assert len(lose(agent)) == MANY

    assert losses(fetched) == [int(place in {3, 5}) for place in range(MANY)]
    assert {fresh(task).status for task in fetched} == {Status.QUEUED}
    reasons = dict(Attempt.objects.values_list("task", "reason"))
    assert reasons[fetched[3].pk] == "agent lost"
    assert reasons[fetched[4].pk] == "agent lost before it was begun"


def test_what_is_listed_as_waiting_is_renewed_and_not_begun(agent, fetched):
    everything = {task.pk: None for task in fetched}
    waiting = [task.pk for task in fetched if task != fetched[3]]

    leases.hear(agent.pk, everything, waiting=waiting)
    lose(agent)

    assert losses(fetched) == [int(place == 3) for place in range(MANY)]


def test_a_task_that_was_renewed_was_begun(agent, fetched):
    leases.renew(fetched[4].pk, agent_id=agent.pk)

    lose(agent)

    assert losses(fetched) == [int(place == 4) for place in range(MANY)]


def test_a_lost_agent_that_named_nothing_is_blamed_for_what_it_claimed_first(agent, fetched):
    lose(agent)

    assert losses(fetched) == [1] + [0] * (MANY - 1)


def test_one_of_several_claims_is_blamed(agent):
    channel = make_channel()
    tasks = make_tasks(3, channel=channel)
    for _ in tasks:
        give(agent, channel)
    Task.objects.filter(pk=tasks[2].pk).update(claimed_at=F("claimed_at") - timedelta(seconds=9))

    lose(agent)

    assert losses(tasks) == [0, 0, 1]


def test_what_was_named_in_an_earlier_lease_counts_no_more(agent, other, fetched):
    name(fetched[5])
    lose(agent)
    take(other, fetched[0].channel, max_tasks=MANY)

    lose(other)

    assert losses(fetched) == [int(place in {0, 5}) for place in range(MANY)]


def test_three_agents_that_fetch_ten_and_vanish_leave_one_dead_letter(fetched, agent):
    lose(agent)
    for _ in range(settings.MAX_LOSSES - 1):
        another = make_agent()
        take(another, fetched[0].channel, max_tasks=MANY)
        lose(another)

    dead = Task.objects.dead_letters()
    assert [task.pk for task in dead] == [fetched[0].pk]
    assert dead[0].fail_reason == "3 agents in a row were lost with it"


def test_a_task_that_ends_every_agent_at_once_becomes_a_dead_letter_behind_others(agent, fetched):
    """The agents have done what was before it, and begin it without a heartbeat."""
    killer = fetched[1]
    fail(fetched[0], by=agent)
    lose(agent)
    while fresh(killer).status != Status.FAILED:
        another = make_agent()
        assert take(another, killer.channel, max_tasks=MANY)[0] == killer
        lose(another)

    assert fresh(killer).losses == settings.MAX_LOSSES
    assert Task.objects.dead_letters().filter(dead_letter="agents_lost").count() == 1


def test_an_agent_that_is_lost_again_and_again_counts_once(agent):
    task = make_task()
    for _ in range(settings.MAX_LOSSES + 2):
        give(agent, task.channel)
        lose(agent)

    task = fresh(task)
    assert (task.status, task.losses, task.lost_with) == (Status.QUEUED, 1, [agent.pk])

    for number in (2, 3):
        give(another := make_agent(), task.channel)
        lose(another)
        assert fresh(task).losses == number
    assert fresh(task).dead_letter == "agents_lost"


def test_who_was_lost_is_forgotten_when_a_report_ends_the_row_of_losses(agent, other):
    task = make_task(max_attempts=9)
    for lost in (agent, other):
        give(lost, task.channel)
        lose(lost)
    give(third := make_agent(), task.channel)
    fail(task, by=third, retriable=True)

    give(agent, task.channel)
    lose(agent)

    assert (fresh(task).losses, fresh(task).lost_with) == (1, [agent.pk])


@pytest.mark.parametrize("most", [1, 2])
def test_how_many_agents_may_be_lost_is_a_setting(settings, most):
    settings.MAX_LOSSES = most
    task = make_task()
    for _ in range(most):
        assert fresh(task).status == Status.QUEUED
        give(another := make_agent(), task.channel)
        lose(another)

    assert fresh(task).dead_letter == "agents_lost"


def test_a_large_fetch_is_judged_as_one_however_it_is_taken_back(monkeypatch, agent, fetched):
    monkeypatch.setattr(leases, "BATCH", 3)
    name(fetched[4])

    assert len(lose(agent)) == MANY
    assert losses(fetched) == [int(place == 4) for place in range(MANY)]


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_a_large_fetch_without_names_is_judged_as_one(monkeypatch, agent, fetched, batch):
    monkeypatch.setattr(leases, "BATCH", batch)

    assert len(lose(agent)) == MANY
    assert losses(fetched) == [1] + [0] * (MANY - 1)


# Leases that run out.


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_of_a_fetch_without_names_the_first_lease_costs_an_attempt(monkeypatch, fetched, batch):
    monkeypatch.setattr(leases, "BATCH", batch)

    assert len(let_leases_run_out(*fetched)) == MANY

    assert attempts(fetched) == [1] + [0] * (MANY - 1)
    assert fresh(fetched[1]).fail_reason == "lease expired before it was begun"


def test_of_a_fetch_only_what_was_named_costs_an_attempt(fetched):
    name(fetched[2])

    let_leases_run_out(*fetched)

    assert attempts(fetched) == [int(place == 2) for place in range(MANY)]


def test_what_waits_behind_a_task_that_is_renewed_costs_nothing(fetched):
    name(fetched[0])

    let_leases_run_out(*fetched[1:])

    assert attempts(fetched) == [0] * MANY
    assert fresh(fetched[0]).status == Status.IN_PROGRESS


def test_a_lease_of_another_claim_is_no_excuse(agent):
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    give(agent, channel, lease_seconds=60)
    Task.objects.update(claimed_at=F("claimed_at") - timedelta(seconds=9))
    name(give(agent, channel, lease_seconds=60))

    let_leases_run_out(first)

    assert attempts([first, second]) == [1, 0]


def test_what_was_not_begun_is_not_postponed():
    channel = make_channel()
    make_tasks(2, channel=channel, retry_delay_seconds=60)
    tasks = take(make_agent(), channel, max_tasks=2, lease_seconds=60)

    let_leases_run_out(*tasks)

    assert [fresh(task).postponed for task in tasks] == [True, False]


# Restarts.


def test_an_agent_that_begins_anew_is_blamed_for_nothing(agent):
    task = make_task()
    for _ in range(settings.MAX_LOSSES + 1):
        give(agent, task.channel)
        name(fresh(task))
        assert len(releases.begin_anew(agent.pk)) == 1

    task = fresh(task)
    assert (task.status, task.losses, task.attempts) == (Status.QUEUED, 0, 0)
    assert set(Attempt.objects.values_list("outcome", "reason")) == {
        ("released", "agent restarted")
    }


def test_a_restart_does_not_end_a_row_of_losses(agent, other):
    task = make_task()
    give(other, task.channel)
    lose(other)
    give(agent, task.channel)

    releases.begin_anew(agent.pk)

    assert fresh(task).losses == 1


def test_a_restart_detaches_the_chain_of_the_agent(agent):
    chain = make_chain(tasks=2)
    step = give(agent, chain.channel)

    releases.begin_anew(agent.pk)

    assert (fresh(chain).owner, fresh(step).status) == (None, Status.LOCKED)


def test_a_late_result_of_what_a_restart_freed_counts(agent):
    task = make_task()
    give(agent, task.channel)
    releases.begin_anew(agent.pk)

    assert complete(task, by=agent, epoch=1, result=7) == ACCEPTED


def test_silence_is_no_loss_when_nothing_is_held(agent):
    silence(agent)

    assert not leases.release_lost()
