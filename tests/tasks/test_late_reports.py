"""Reports on tasks that were put back: they count until another agent claims the task."""

import pytest

from chains import transitions as chains
from tasks import transitions
from tasks.exceptions import LeaseLost, NotHolder, WrongStatus
from tasks.models import Attempt
from tasks.states import Status
from tests.factories import fresh, give, make_chain, make_held_task, steps_of
from tests.tasks.reporting import ACCEPTED, ALREADY, complete, fail
from tests.tasks.verbs import expire, lose

pytestmark = pytest.mark.django_db


def put_back_by_unlock(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="operator")
    return transitions.unlock(task.pk, Status.QUEUED, by="operator")


def put_back_by_expiry(agent):
    task = make_held_task(agent)
    assert len(expire(task)) == 1
    return fresh(task)


def put_back_by_loss(agent):
    task = make_held_task(agent)
    assert len(lose(agent)) == 1
    return fresh(task)


put_back = pytest.mark.parametrize(
    "put_back", [put_back_by_expiry, put_back_by_loss, put_back_by_unlock]
)


@put_back
@pytest.mark.parametrize("epoch", [None, 1])
def test_the_last_holder_completes_a_task_that_was_put_back(agent, put_back, epoch):
    task = put_back(agent)

    assert complete(task, by=agent, epoch=epoch, result=7) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.result, task.agent) == (Status.DONE, 7, agent)
    assert (task.fail_reason, task.blocked, task.reserved_for) == ("", False, None)
    assert complete(task, by=agent, epoch=epoch) == ALREADY
    assert fail(task, by=agent, epoch=epoch) == WrongStatus


@put_back
@pytest.mark.parametrize("epoch", [None, 1])
def test_a_late_failure_of_the_last_holder_only_stores_its_reason(agent, put_back, epoch):
    task = put_back(agent)

    assert fail(task, by=agent, epoch=epoch, reason="too late") == ACCEPTED

    noted = fresh(task)
    assert (noted.status, noted.fail_reason) == (Status.QUEUED, "too late")
    assert (noted.attempts, noted.agent) == (task.attempts, None)
    assert Attempt.objects.get().reason == "too late"
    assert fail(task, by=agent, epoch=epoch) == ALREADY
    assert complete(task, by=agent, epoch=epoch) == WrongStatus


@put_back
def test_a_late_failure_may_be_repeated_after_another_agent_claimed_the_task(
    agent, other, put_back
):
    task = put_back(agent)
    fail(task, by=agent, epoch=1)
    give(other, task.channel)

    assert fail(task, by=agent, epoch=1) == ALREADY


@put_back
def test_a_report_is_lost_once_another_agent_has_claimed_the_task(agent, other, put_back):
    task = put_back(agent)
    give(other, task.channel)

    assert complete(task, by=agent) == NotHolder
    assert fail(task, by=agent) == NotHolder
    assert complete(task, by=agent, epoch=1) == LeaseLost
    assert fail(task, by=agent, epoch=1) == LeaseLost


@put_back
def test_only_the_last_holder_may_report_a_task_that_was_put_back(agent, other, put_back):
    task = put_back(agent)

    assert complete(task, by=other) == NotHolder
    assert complete(task) == WrongStatus
    assert fail(task) == WrongStatus


def test_a_late_completion_gives_the_turn_to_the_next_of_the_chain(agent):
    task = put_back_by_unlock(agent)

    complete(task, by=agent)

    first, second = steps_of(task.chain)
    assert (first.status, second.blocked) == (Status.DONE, False)
