from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from agents.models import Agent
from chains import transitions as chains
from events.models import Event
from tasks import reports, transitions
from tasks.exceptions import LeaseLost, NotHolder, NotReady, TaskUnknown, WrongStatus
from tasks.fastlane import Outcome
from tasks.models import SESSION_REQUEST, Attempt, Task
from tasks.states import ALLOWED, FINISHED, OPEN, Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    silence,
    steps_of,
    take,
)

pytestmark = pytest.mark.django_db


def last_line(task):
    line = Event.objects.about_task(task.pk).first()
    return line.type, line.actor, line.reason


def fail(task, **fields):
    reports.report([Outcome(task.pk, done=False, **fields)], agent_id=None, by="tests")
    return fresh(task)


def make_locked_task(agent=None, steps=1):
    chain = make_chain(tasks=steps)
    task = give(agent or make_agent(), chain.channel)
    chains.detach(chain.pk, owner_id=None, by="tests")
    return fresh(task)


def make_of_status(status):
    """A task of a chain (the only kind that may be locked) in this status."""
    chain = make_chain(tasks=1)
    if status == Status.QUEUED:
        return steps_of(chain)[0]
    task = give(make_agent(), chain.channel)
    if status == Status.LOCKED:
        chains.detach(chain.pk, owner_id=None, by="tests")
    elif status == Status.CANCELLED:
        transitions.cancel(task.pk, by="tests")
        transitions.cancel(task.pk, by="tests")
    elif status in FINISHED:
        outcome = Outcome(task.pk, done=status == Status.DONE)
        reports.report([outcome], agent_id=None, by="tests")
    task = fresh(task)
    assert task.status == status
    return task


def refuses(problem, verb, task, *args, **kwargs):
    """The verb is refused by this problem and the row stays as it was."""
    before = Task.objects.filter(pk=task.pk).values().get()
    with pytest.raises(problem):
        verb(task.pk, *args, **kwargs)
    assert Task.objects.filter(pk=task.pk).values().get() == before
    return True


def test_every_status_has_its_edges_and_finished_ones_end_there():
    assert set(ALLOWED) == set(Status) == OPEN | FINISHED
    assert not OPEN & FINISHED
    assert not ALLOWED[Status.DONE] | ALLOWED[Status.CANCELLED]


@pytest.mark.parametrize(
    "verb",
    [
        lambda pk: transitions.assign(pk, "a", by="x"),
        lambda pk: transitions.unlock(pk, Status.QUEUED, by="x"),
        lambda pk: transitions.requeue(pk, by="x"),
        lambda pk: transitions.cancel(pk, by="x"),
        lambda pk: transitions.renew(pk, agent_id="a"),
    ],
)
def test_a_task_that_does_not_exist_is_unknown(verb):
    with pytest.raises(TaskUnknown):
        verb(uuid4())


# Assign.


def test_assign_gives_a_queued_task_to_a_named_agent():
    task = make_task()
    agent = make_agent("a")

    given = transitions.assign(task.pk, "a", by="operator")

    assert (given.status, given.agent, given.last_holder) == (Status.IN_PROGRESS, agent, "a")
    assert (given.lease_epoch, given.lease_expires_at) == (1, None)
    assert last_line(task) == ("task.claimed", "operator", "")


def test_assign_again_changes_nothing():
    task = make_task()
    transitions.assign(task.pk, "a", by="operator")
    before = Task.objects.values().get(pk=task.pk)

    transitions.assign(task.pk, "a", by="operator")

    assert Task.objects.values().get(pk=task.pk) == before


def test_assign_registers_an_agent_never_heard_of():
    transitions.assign(make_task().pk, "new", by="operator")

    assert Agent.objects.filter(pk="new").exists()


def test_assign_by_an_operator_renews_no_presence():
    agent = make_agent(seen_ago=timedelta(minutes=5))

    transitions.assign(make_task().pk, agent.pk, by="operator")

    assert fresh(agent).last_seen_at == agent.last_seen_at


def test_assign_gives_out_session_requests():
    task = make_task(type=SESSION_REQUEST)

    assert transitions.assign(task.pk, "a", by="operator").status == Status.IN_PROGRESS


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED}))
def test_assign_refuses_what_is_not_queued(status):
    assert refuses(WrongStatus, transitions.assign, make_of_status(status), "b", by="operator")


def test_assign_refuses_a_draining_agent():
    agent = make_agent(draining=True)

    assert refuses(NotReady, transitions.assign, make_task(), agent.pk, by="operator")


def test_assign_refuses_a_task_before_its_time():
    task = make_task(available_at=Now() + timedelta(minutes=1))

    assert refuses(NotReady, transitions.assign, task, "a", by="operator")


def test_assign_refuses_a_task_whose_turn_it_is_not():
    _, second = steps_of(make_chain(tasks=2))

    assert refuses(NotReady, transitions.assign, second, "a", by="operator")


def test_assign_refuses_a_task_behind_a_locked_one():
    locked = make_locked_task(steps=2)

    assert refuses(NotReady, transitions.assign, steps_of(locked.chain)[1], "a", by="operator")


def test_assign_refuses_a_task_of_a_chain_that_another_agent_owns():
    chain = make_chain(tasks=2)
    task = give(make_agent(), chain.channel)
    reports.report([Outcome(task.pk, done=True)], agent_id=None, by="tests")

    assert refuses(NotReady, transitions.assign, steps_of(chain)[1], "b", by="operator")


def test_assign_refuses_an_agent_that_is_bound_elsewhere():
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


def test_assign_gives_its_owner_the_next_of_an_owned_chain():
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel)
    reports.report([Outcome(task.pk, done=True)], agent_id=None, by="tests")

    given = transitions.assign(steps_of(chain)[1].pk, agent.pk, by="operator")

    assert (given.status, given.agent) == (Status.IN_PROGRESS, agent)


# Unlock.


def test_unlock_puts_a_locked_task_back_in_the_queue():
    locked = make_locked_task()

    task = transitions.unlock(locked.pk, Status.QUEUED, by="operator", reason="looked fine")

    assert (task.status, task.agent, task.claimed_at) == (Status.QUEUED, None, None)
    assert (task.blocked, task.reserved_for, fresh(task.chain).status) == (False, None, "queued")
    assert last_line(task) == ("task.unlocked", "operator", "looked fine")


def test_unlock_calls_a_locked_task_done():
    locked = make_locked_task(steps=2)

    task = transitions.unlock(locked.pk, Status.DONE, by="operator")

    assert (task.status, task.fail_reason) == (Status.DONE, "")
    assert task.finished_at
    assert not steps_of(task.chain)[1].blocked
    assert last_line(task)[:2] == ("task.unlocked", "operator")


@pytest.mark.parametrize("to", [Status.QUEUED, Status.DONE])
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.LOCKED}))
def test_unlock_refuses_what_is_not_locked(status, to):
    assert refuses(WrongStatus, transitions.unlock, make_of_status(status), to, by="operator")


@pytest.mark.parametrize("to", sorted(set(Status) - {Status.QUEUED, Status.DONE}))
def test_unlock_leads_to_queued_or_done_only(to):
    assert refuses(WrongStatus, transitions.unlock, make_locked_task(), to, by="operator")


# Requeue.


def test_requeue_gives_a_failed_task_all_its_attempts_again():
    task = fail(make_held_task(max_attempts=1))

    task = transitions.requeue(task.pk, by="operator", reason="fixed")

    assert (task.status, task.agent, task.attempts) == (Status.QUEUED, None, 0)
    assert (task.finished_at, task.claimed_at) == (None, None)
    assert last_line(task) == ("task.requeued", "operator", "fixed")
    again = give(make_agent(), task.channel)
    assert (again, again.lease_epoch) == (task, 2)


def test_requeue_keeps_the_bad_attempts():
    task = fail(make_held_task(), reason="broken")

    transitions.requeue(task.pk, by="operator")

    assert Attempt.objects.get(task=task).reason == "broken"


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED}))
def test_requeue_refuses_what_has_not_failed(status):
    assert refuses(WrongStatus, transitions.requeue, make_of_status(status), by="operator")


# Cancel.


@pytest.mark.parametrize("status", [Status.QUEUED, Status.LOCKED])
def test_cancel_ends_a_task_that_waits(status):
    task = make_of_status(status)

    task = transitions.cancel(task.pk, by="operator", reason="not needed")

    assert (task.status, task.blocked, task.reserved_for) == (Status.CANCELLED, False, None)
    assert task.finished_at
    assert last_line(task) == ("task.cancelled", "operator", "not needed")


def test_cancel_of_a_task_in_progress_is_asked():
    held = make_held_task()

    task = transitions.cancel(held.pk, by="operator")

    assert task.status == Status.IN_PROGRESS
    assert task.cancel_asked_at
    assert list(Task.objects.cancel_asked()) == [task]


def test_a_second_cancel_takes_the_task_away():
    held = make_held_task(lease_seconds=60)
    transitions.cancel(held.pk, by="operator")

    task = transitions.cancel(held.pk, by="operator")

    assert (task.status, task.lease_expires_at) == (Status.CANCELLED, None)
    assert last_line(task)[:2] == ("task.cancelled", "operator")


def test_cancel_again_changes_nothing():
    task = transitions.cancel(make_task().pk, by="operator")
    before = Task.objects.values().get(pk=task.pk)

    transitions.cancel(task.pk, by="operator")

    assert Task.objects.values().get(pk=task.pk) == before


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED])
def test_cancel_refuses_what_has_ended(status):
    assert refuses(WrongStatus, transitions.cancel, make_of_status(status), by="operator")


def test_cancel_passes_the_turn_on():
    first, second = steps_of(make_chain(tasks=2))

    transitions.cancel(first.pk, by="operator")

    assert not fresh(second).blocked


def test_cancel_of_a_step_behind_leaves_the_turn_where_it_is():
    first, second, third = steps_of(make_chain(tasks=3))

    transitions.cancel(second.pk, by="operator")

    assert [fresh(task).blocked for task in (first, second, third)] == [False, False, True]


def test_a_completion_still_wins_over_a_cancellation_that_was_asked():
    task = make_held_task()
    transitions.cancel(task.pk, by="operator")

    reports.report([Outcome(task.pk, done=True)], agent_id=task.agent_id, by="")

    assert fresh(task).status == Status.DONE


@pytest.mark.parametrize("retriable", [True, False])
def test_a_fail_ends_a_task_whose_cancellation_was_asked(retriable):
    task = make_held_task()
    transitions.cancel(task.pk, by="operator")

    task = fail(task, retriable=retriable)

    assert (task.status, task.attempts) == (Status.CANCELLED, 1)
    assert task.finished_at
    assert Event.objects.about_task(task.pk).first().type == "task.cancelled"


def test_a_requeued_task_has_no_cancellation_left():
    task = make_held_task(agent := make_agent())
    transitions.cancel(task.pk, by="operator")
    Task.objects.filter(pk=task.pk).update(status=Status.FAILED, finished_at=Now())

    transitions.requeue(task.pk, by="operator")

    assert give(agent, task.channel).cancel_asked_at is None


# Renew.


def test_renew_starts_the_lease_anew():
    task = make_task()
    agent = make_agent()
    held = give(agent, task.channel, lease_seconds=30)
    Task.objects.filter(pk=task.pk).update(lease_expires_at=held.claimed_at)

    assert transitions.renew(task.pk, agent_id=agent.pk).lease_expires_at > held.claimed_at
    longer = transitions.renew(task.pk, agent_id=agent.pk, epoch=1, lease_seconds=3600)

    assert longer.lease_seconds == 3600
    assert longer.lease_expires_at - held.claimed_at >= timedelta(hours=1)


def test_renew_of_a_hold_without_a_lease_renews_presence_alone():
    task = make_held_task(agent := make_agent())
    silence(agent)

    assert transitions.renew(task.pk, agent_id=agent.pk).lease_expires_at is None
    assert Agent.objects.online().filter(pk=agent.pk).exists()


def test_renew_refuses_who_does_not_hold_the_task():
    assert refuses(NotHolder, transitions.renew, make_held_task(), agent_id=make_agent().pk)


def test_renew_refuses_another_epoch():
    task = make_held_task()

    assert refuses(LeaseLost, transitions.renew, task, agent_id=task.agent_id, epoch=2)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.IN_PROGRESS}))
def test_renew_refuses_what_is_not_in_progress(status):
    task = make_of_status(status)

    assert refuses(NotHolder, transitions.renew, task, agent_id=task.last_holder or "a")


def test_a_heartbeat_renews_the_listed_tasks_that_the_agent_holds():
    agent, channel = make_agent(), make_channel()
    tasks = make_tasks(4, channel=channel)
    for seconds in (30, 60, None):
        give(agent, channel, lease_seconds=seconds)
    give(make_agent(), channel, lease_seconds=30)
    Task.objects.exclude(lease_expires_at=None).update(lease_expires_at=Now())
    before = [fresh(task).lease_expires_at for task in tasks]

    held = transitions.renew_listed(agent.pk, {task.pk: None for task in tasks} | {uuid4(): None})

    assert held == {task.pk for task in tasks[:3]}
    after = [fresh(task).lease_expires_at for task in tasks]
    assert after[0] - before[0] >= timedelta(seconds=30)
    assert after[1] - before[1] >= timedelta(seconds=60)
    assert after[2:] == [None, before[3]]


def test_a_heartbeat_renews_no_lease_by_a_stale_epoch():
    task = make_held_task(agent := make_agent())

    assert transitions.renew_listed(agent.pk, {task.pk: 7}) == set()
    assert transitions.renew_listed(agent.pk, {task.pk: 1}) == {task.pk}


def test_the_current_task_is_the_one_claimed_last():
    agent, channel = make_agent(), make_channel()
    first, second = make_tasks(2, channel=channel)
    take(agent, channel, max_tasks=2)
    Task.objects.filter(pk=first.pk).update(claimed_at=Now())

    assert list(Task.objects.current_of([agent.pk])) == [first]
    fail(first)
    assert list(Task.objects.current_of([agent.pk])) == [second]


def test_asking_for_a_cancellation_stands_in_the_journal():
    task = make_held_task()

    transitions.cancel(task.pk, by="somebody", reason="not wanted")

    event = Event.objects.get(type="task.cancel_asked", task_id=str(task.pk))
    assert (event.actor, event.reason, event.agent_id) == ("somebody", "not wanted", task.agent_id)
