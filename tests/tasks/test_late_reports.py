"""Reports on tasks that were put back and not claimed since: the last holder is still heard."""

import pytest

from chains import transitions as chains
from tasks import leases, transitions
from tasks.exceptions import LeaseLost, NotHolder, WrongStatus
from tasks.models import Attempt
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_held_task,
    silence,
    steps_of,
)
from tests.tasks.reporting import ACCEPTED, ALREADY, done, failed

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return make_agent("first")


@pytest.fixture
def other():
    return make_agent("other")


def put_back_by_expiry(agent):
    task = make_held_task(agent)
    let_lease_run_out(task)
    assert len(leases.expire_leases()) == 1
    return fresh(task)


def put_back_by_loss(agent):
    task = make_held_task(agent)
    silence(agent)
    assert len(leases.release_lost()) == 1
    return fresh(task)


def put_back_by_unlock(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="operator")
    return transitions.unlock(task.pk, Status.QUEUED, by="operator")


put_back = pytest.mark.parametrize(
    "put_back", [put_back_by_expiry, put_back_by_loss, put_back_by_unlock]
)


@put_back
@pytest.mark.parametrize("epoch", [None, 1])
def test_the_last_holder_completes_a_task_that_was_put_back(agent, put_back, epoch):
    task = put_back(agent)

    assert done(task, by=agent, epoch=epoch, result=7) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.result, task.agent) == (Status.DONE, 7, agent)
    assert (task.fail_reason, task.blocked, task.reserved_for) == ("", False, None)
    assert done(task, by=agent, epoch=epoch) == ALREADY
    assert failed(task, by=agent, epoch=epoch) == WrongStatus


@put_back
@pytest.mark.parametrize("epoch", [None, 1])
def test_a_late_fail_of_the_last_holder_is_only_noted(agent, put_back, epoch):
    task = put_back(agent)

    assert failed(task, by=agent, epoch=epoch, reason="too late") == ACCEPTED

    noted = fresh(task)
    assert (noted.status, noted.fail_reason) == (Status.QUEUED, "too late")
    assert (noted.attempts, noted.agent) == (task.attempts, None)
    assert Attempt.objects.get().reason == "too late"
    assert failed(task, by=agent, epoch=epoch) == ALREADY
    assert done(task, by=agent, epoch=epoch) == WrongStatus


@put_back
def test_a_late_fail_again_after_another_agent_claimed_the_task(agent, other, put_back):
    task = put_back(agent)
    failed(task, by=agent, epoch=1)
    give(other, task.channel)

    assert failed(task, by=agent, epoch=1) == ALREADY


@put_back
def test_a_task_that_was_put_back_is_lost_once_another_agent_has_it(agent, other, put_back):
    task = put_back(agent)
    give(other, task.channel)

    assert done(task, by=agent) == NotHolder
    assert failed(task, by=agent) == NotHolder
    assert done(task, by=agent, epoch=1) == LeaseLost
    assert failed(task, by=agent, epoch=1) == LeaseLost


@put_back
def test_a_task_that_was_put_back_is_closed_to_others(agent, other, put_back):
    task = put_back(agent)

    assert done(task, by=other) == NotHolder
    assert done(task) == WrongStatus
    assert failed(task) == WrongStatus


def test_a_late_completion_gives_the_turn_to_the_next_of_the_chain(agent):
    task = put_back_by_unlock(agent)

    done(task, by=agent)

    first, second = steps_of(task.chain)
    assert (first.status, second.blocked) == (Status.DONE, False)
