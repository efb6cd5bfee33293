"""The pause before a retry: how long it is, and what ends it."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.models.functions import Now

from agents.models import Protocol
from chains import transitions as chains
from events.models import Event
from tasks import batches, claims, leases, transitions
from tasks.exceptions import NotReady
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
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
    run_fast,
    steps_of,
    take,
)
from tests.tasks.paths import fail_by_fast_path, fail_in_transaction
from tests.tasks.reporting import ACCEPTED, complete, fail
from tests.tasks.verbs import expire, lose, refuses

pytestmark = pytest.mark.django_db


def delays(seconds, attempts, samples=1):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tasks_retry_delay(%s, %s) FROM generate_series(1, %s)",
            [seconds, attempts, samples],
        )
        return [row[0].total_seconds() for row in cursor.fetchall()]


fail_retriably = partial(fail_by_fast_path, retriable=True)
fail_in_transaction_retriably = partial(fail_in_transaction, retriable=True)
every_end = pytest.mark.parametrize("end", [fail_retriably, fail_in_transaction_retriably, expire])


def let_time_come(task):
    Task.objects.filter(pk=task.pk, postponed=True).update(available_at=Now())


def make_postponed(agent=None, seconds=30, **fields):
    task = make_held_task(agent, retry_delay_seconds=seconds, **fields)
    fail_retriably(task)
    return fresh(task)


def pause_of(task):
    """The seconds for which the task is postponed, from when it was put back."""
    return (task.available_at - task.updated_at).total_seconds()


# Its length.


@pytest.mark.parametrize(
    ("seconds", "attempts", "nominal"),
    [
        (5, 1, 5),
        (5, 2, 10),
        (5, 3, 20),
        (5, 4, 40),
        (5, 5, 60),
        (5, 1000, 60),
        (1, 7, 60),
        (1, 6, 32),
        (60, 1, 60),
        (60, 2, 60),
        (5, 0, 5),
    ],
)
def test_the_pause_doubles_up_to_a_minute_and_a_random_part_is_cut_off(seconds, attempts, nominal):
    drawn = delays(seconds, attempts, samples=300)

    assert nominal * 0.8 <= min(drawn) < nominal * 0.85
    assert nominal * 0.95 < max(drawn) <= nominal


def test_a_delay_of_zero_stays_zero_for_every_attempt():
    assert {delay for attempts in (1, 5, 99) for delay in delays(0, attempts, samples=20)} == {0}


def test_tasks_that_failed_together_are_tried_again_at_different_times():
    agent = make_agent()
    tasks = make_tasks(5, channel=make_channel(), retry_delay_seconds=10)
    take(agent, tasks[0].channel, max_tasks=5)

    outcomes = [Outcome(task.pk, done=False, retriable=True) for task in tasks]
    assert run_fast(agent.pk, outcomes=outcomes)

    assert len(set(Task.objects.values_list("available_at", flat=True))) == 5


@every_end
def test_each_attempt_makes_the_next_pause_longer(end):
    task = make_task(retry_delay_seconds=8, max_attempts=9)
    for nominal in (8, 16, 32, 60):
        end(give(make_agent(), task.channel))

        task = fresh(task)
        assert (task.status, task.postponed, task.free) == (Status.QUEUED, True, False)
        assert nominal * 0.8 <= pause_of(task) <= nominal
        let_time_come(task)
        assert leases.wake_postponed() == 1


@every_end
def test_without_a_delay_a_task_is_tried_again_at_once(end):
    task = make_held_task()

    end(task)

    task = fresh(task)
    assert (task.status, task.postponed) == (Status.QUEUED, False)
    assert take(make_agent(), task.channel) == [task]


def test_a_task_of_a_lost_agent_is_tried_again_at_once():
    task = make_held_task(agent := make_agent(), retry_delay_seconds=30)

    lose(agent)

    assert not fresh(task).postponed
    assert take(make_agent(), task.channel) == [task]


@pytest.mark.parametrize("retriable", [True, False])
def test_a_task_that_failed_for_good_is_not_postponed(retriable):
    task = make_held_task(agent := make_agent(), retry_delay_seconds=30, max_attempts=1)

    fail(task, by=agent, retriable=retriable)

    assert (fresh(task).status, fresh(task).postponed) == (Status.FAILED, False)


# Its end.


def test_nobody_gets_a_postponed_task_until_it_is_woken():
    task = make_postponed(agent := make_agent())
    assert refuses(NotReady, transitions.assign, task, agent.pk, by="operator")

    for protocol in (Protocol.PLAIN, Protocol.SPOT):
        assert not claims.claim(ClaimRequest(agent.pk, ids=[task.channel_id], protocol=protocol))
    assert take(agent, task.channel) == []
    assert leases.wake_postponed() == 0
    let_time_come(task)
    assert take(agent, task.channel) == []
    assert leases.wake_postponed() == 1

    assert take(agent, task.channel) == [task]
    assert leases.wake_postponed() == 0


def test_a_postponed_task_is_passed_over_and_keeps_its_position():
    task = make_postponed(priority=1)
    behind = make_tasks(2, channel=task.channel, priority=1)

    assert take(make_agent(), task.channel) == behind[:1]
    let_time_come(task)
    leases.wake_postponed()

    assert take(make_agent(), task.channel) == [task]


def test_one_call_wakes_more_than_one_batch(monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 2)
    tasks = make_tasks(5, available_at=Now() - timedelta(seconds=1))
    later = make_task(available_at=Now() + timedelta(minutes=1))
    assert take(make_agent(), tasks[0].channel, max_tasks=9) == []

    assert leases.wake_postponed() == 5

    assert take(make_agent(), tasks[0].channel, max_tasks=9) == tasks
    assert fresh(later).postponed


def test_waking_a_task_writes_no_event():
    task = make_postponed()
    before = Event.objects.count()

    let_time_come(task)
    leases.wake_postponed()

    assert Event.objects.count() == before


# Other verbs.


def test_a_postponed_task_may_be_cancelled():
    task = make_postponed()

    cancelled = transitions.cancel(task.pk, by="operator")

    assert (cancelled.status, cancelled.postponed) == (Status.CANCELLED, False)


def test_many_postponed_tasks_may_be_cancelled_at_once():
    task = make_postponed()

    assert batches.cancel_all(Task.objects.all(), by="operator").cancelled == 1

    assert (fresh(task).status, fresh(task).postponed) == (Status.CANCELLED, False)


def test_the_last_holder_may_still_complete_a_postponed_task():
    task = make_held_task(agent := make_agent(), retry_delay_seconds=30)
    expire(task)
    assert fresh(task).postponed

    assert complete(task, by=agent, result=1) == ACCEPTED

    assert (fresh(task).status, fresh(task).postponed) == (Status.DONE, False)


def test_a_late_failure_does_not_change_the_pause():
    task = make_held_task(agent := make_agent(), retry_delay_seconds=30)
    expire(task)
    until = fresh(task).available_at

    assert fail(task, by=agent, retriable=True) == ACCEPTED

    assert (fresh(task).postponed, fresh(task).available_at) == (True, until)


@pytest.mark.parametrize("requeue", [transitions.requeue, "all"])
def test_a_requeued_task_is_not_postponed_and_its_next_pause_is_the_first(requeue):
    task = make_postponed(agent := make_agent(), seconds=10, max_attempts=2)
    let_time_come(task)
    leases.wake_postponed()
    fail_retriably(give(agent, task.channel))
    assert fresh(task).status == Status.FAILED

    if requeue == "all":
        assert batches.requeue_all(Task.objects.all(), by="operator") == 1
    else:
        requeue(task.pk, by="operator")
    fail_retriably(give(agent, task.channel))

    assert fresh(task).attempts == 1
    assert 8 <= pause_of(fresh(task)) <= 10


# Chains.


def make_postponed_in_a_chain():
    chain = make_chain(tasks=0)
    make_tasks(2, chain=chain, retry_delay_seconds=30)
    agent = make_agent()
    fail_in_transaction_retriably(give(agent, chain.channel))
    return fresh(chain), agent


def test_a_postponed_step_keeps_the_turn_and_the_owner():
    chain, agent = make_postponed_in_a_chain()

    first, second = steps_of(chain)
    assert (first.status, first.postponed, first.blocked) == (Status.QUEUED, True, False)
    assert 24 <= pause_of(first) <= 30
    assert (first.reserved_for, chain.owner, second.blocked) == (agent, agent, True)
    assert take(agent, chain.channel) == take(make_agent(), chain.channel) == []
    let_time_come(first)
    leases.wake_postponed()
    assert take(make_agent(), chain.channel) == []
    assert take(agent, chain.channel) == [first]


def test_a_postponed_step_binds_its_owner():
    _, agent = make_postponed_in_a_chain()
    elsewhere = make_task()

    assert take(agent, elsewhere.channel) == []
    assert not claims.claim(
        ClaimRequest(agent.pk, ids=[elsewhere.channel_id], protocol=Protocol.SPOT)
    )


def test_a_postponed_step_of_a_detached_chain_is_for_anybody_once_it_is_woken():
    chain, agent = make_postponed_in_a_chain()

    chains.detach(chain.pk, owner_id=agent.pk, by="operator")

    first, _ = steps_of(chain)
    assert (first.postponed, first.blocked, first.reserved_for) == (True, False, None)
    assert take(other := make_agent(), chain.channel) == []
    let_time_come(first)
    leases.wake_postponed()
    assert take(other, chain.channel) == [first]


def test_an_unlocked_step_is_not_postponed():
    chain = make_chain(tasks=0)
    make_tasks(1, chain=chain, retry_delay_seconds=30)
    agent = make_agent()
    task = give(agent, chain.channel, lease_seconds=60)
    let_lease_run_out(task)
    assert chains.detach_expired() == 1

    transitions.unlock(task.pk, Status.QUEUED, by="operator")

    assert not fresh(task).postponed
    assert take(agent, chain.channel) == [task]


def test_a_cancelled_postponed_step_gives_the_turn_to_the_next():
    chain, agent = make_postponed_in_a_chain()
    first, second = steps_of(chain)

    transitions.cancel(first.pk, by="operator")

    assert take(agent, chain.channel) == [second]
