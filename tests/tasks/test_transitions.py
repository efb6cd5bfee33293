from uuid import uuid4

import pytest
from django.db.models.functions import Now

from events.models import Event
from tasks import leases, transitions
from tasks.exceptions import TaskUnknown, WrongStatus
from tasks.models import Attempt, Task
from tasks.states import EVENTS, FINISHED, OPEN, Status
from tests.factories import fresh, give, make_agent, make_chain, make_held_task, make_task, steps_of
from tests.tasks.reporting import complete
from tests.tasks.verbs import failed, last_event, make_locked_task, make_of_status, refuses

pytestmark = pytest.mark.django_db


def test_every_status_is_open_or_finished_and_what_is_done_or_cancelled_goes_on_only_by_undo():
    assert set(Status) == OPEN | FINISHED
    assert not OPEN & FINISHED
    onward = {edge for edge in EVENTS if edge[0] in {Status.DONE, Status.CANCELLED}}
    assert onward == {(Status.CANCELLED, Status.QUEUED)}


@pytest.mark.parametrize(
    "verb",
    [
        lambda pk: transitions.assign(pk, "a", by="x"),
        lambda pk: transitions.unlock(pk, Status.QUEUED, by="x"),
        lambda pk: transitions.requeue(pk, by="x"),
        lambda pk: transitions.cancel(pk, by="x"),
        lambda pk: leases.renew(pk, agent_id="a"),
    ],
)
def test_a_task_that_does_not_exist_is_unknown(verb):
    with pytest.raises(TaskUnknown):
        verb(uuid4())


# Unlock.


def test_unlock_puts_a_locked_task_back_in_the_queue():
    locked = make_locked_task()

    task = transitions.unlock(locked.pk, Status.QUEUED, by="operator", reason="looked fine")

    assert (task.status, task.agent, task.claimed_at) == (Status.QUEUED, None, None)
    assert (task.blocked, task.reserved_for, fresh(task.chain).status) == (False, None, "queued")
    assert last_event(task) == ("task.unlocked", "operator", "looked fine")


def test_unlock_marks_a_locked_task_done():
    locked = make_locked_task(steps=2)

    task = transitions.unlock(locked.pk, Status.DONE, by="operator")

    assert (task.status, task.fail_reason) == (Status.DONE, "")
    assert task.finished_at
    assert not steps_of(task.chain)[1].blocked
    assert last_event(task)[:2] == ("task.unlocked", "operator")


@pytest.mark.parametrize("to", [Status.QUEUED, Status.DONE])
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.LOCKED}))
def test_unlock_refuses_a_task_that_is_not_locked(status, to):
    assert refuses(WrongStatus, transitions.unlock, make_of_status(status), to, by="operator")


@pytest.mark.parametrize("to", sorted(set(Status) - {Status.QUEUED, Status.DONE}))
def test_unlock_refuses_any_status_but_queued_and_done(to):
    assert refuses(WrongStatus, transitions.unlock, make_locked_task(), to, by="operator")


# Requeue.


def test_requeue_gives_a_failed_task_all_its_attempts_again():
    task = failed(make_held_task(max_attempts=1))

    task = transitions.requeue(task.pk, by="operator", reason="fixed")

    assert (task.status, task.agent, task.attempts) == (Status.QUEUED, None, 0)
    assert (task.finished_at, task.claimed_at) == (None, None)
    assert last_event(task) == ("task.requeued", "operator", "fixed")
    again = give(make_agent(), task.channel)
    assert (again, again.lease_epoch) == (task, 2)


def test_requeue_keeps_the_bad_attempts():
    task = failed(make_held_task(), reason="broken")

    transitions.requeue(task.pk, by="operator")

    assert Attempt.objects.get(task=task).reason == "broken"


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED}))
def test_requeue_refuses_a_task_that_has_not_failed(status):
    assert refuses(WrongStatus, transitions.requeue, make_of_status(status), by="operator")


# Cancel.


@pytest.mark.parametrize("status", [Status.QUEUED, Status.LOCKED])
def test_cancel_ends_a_queued_or_locked_task(status):
    task = make_of_status(status)

    task = transitions.cancel(task.pk, by="operator", reason="not needed")

    assert (task.status, task.blocked, task.reserved_for) == (Status.CANCELLED, False, None)
    assert task.finished_at
    assert last_event(task) == ("task.cancelled", "operator", "not needed")


def test_cancel_asks_for_a_task_in_progress_to_stop():
    held = make_held_task()

    task = transitions.cancel(held.pk, by="operator")

    assert task.status == Status.IN_PROGRESS
    assert task.cancel_asked_at
    assert list(Task.objects.cancel_asked()) == [task]


def test_a_second_cancel_changes_nothing():
    held = make_held_task()
    transitions.cancel(held.pk, by="operator")
    before = Task.objects.values().get(pk=held.pk)

    transitions.cancel(held.pk, by="operator")

    assert Task.objects.values().get(pk=held.pk) == before
    assert Event.objects.about_task(held.pk).filter(type="task.cancel_asked").count() == 1


@pytest.mark.parametrize("asked", [False, True])
def test_a_forced_cancel_ends_a_task_in_progress(asked):
    held = make_held_task(lease_seconds=60)
    if asked:
        transitions.cancel(held.pk, by="operator")

    task = transitions.cancel(held.pk, by="operator", force=True)

    assert (task.status, task.lease_expires_at) == (Status.CANCELLED, None)
    assert last_event(task)[:2] == ("task.cancelled", "operator")


def test_cancel_of_a_cancelled_task_changes_nothing():
    task = transitions.cancel(make_task().pk, by="operator")
    before = Task.objects.values().get(pk=task.pk)

    transitions.cancel(task.pk, by="operator")

    assert Task.objects.values().get(pk=task.pk) == before


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED])
def test_cancel_refuses_a_done_or_failed_task(status):
    assert refuses(WrongStatus, transitions.cancel, make_of_status(status), by="operator")


def test_cancel_gives_the_turn_to_the_next_step():
    first, second = steps_of(make_chain(tasks=2))

    transitions.cancel(first.pk, by="operator")

    assert not fresh(second).blocked


def test_cancel_of_a_blocked_step_does_not_move_the_turn():
    first, second, third = steps_of(make_chain(tasks=3))

    transitions.cancel(second.pk, by="operator")

    assert [fresh(task).blocked for task in (first, second, third)] == [False, False, True]


def test_a_task_that_was_asked_to_stop_can_still_be_completed():
    task = make_held_task()
    transitions.cancel(task.pk, by="operator")

    complete(task, by=task.agent)

    assert fresh(task).status == Status.DONE


@pytest.mark.parametrize("retriable", [True, False])
def test_a_failure_cancels_a_task_that_was_asked_to_stop(retriable):
    task = make_held_task()
    transitions.cancel(task.pk, by="operator")

    task = failed(task, retriable=retriable)

    assert (task.status, task.attempts) == (Status.CANCELLED, 1)
    assert task.finished_at
    assert Event.objects.about_task(task.pk).first().type == "task.cancelled"


def test_a_requeued_task_is_no_longer_asked_to_stop():
    task = make_held_task(agent := make_agent())
    transitions.cancel(task.pk, by="operator")
    failed = {"status": Status.FAILED, "dead_letter": "exhausted", "finished_at": Now()}
    Task.objects.filter(pk=task.pk).update(**failed)

    transitions.requeue(task.pk, by="operator")

    assert give(agent, task.channel).cancel_asked_at is None
