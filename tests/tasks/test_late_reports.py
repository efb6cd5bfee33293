"""Reports on tasks that were put back: they count until another agent claims the task."""

import pytest
from django.conf import settings

from chains import transitions as chains
from jobs import tally
from tasks import transitions
from tasks.exceptions import LeaseLost, NotHolder, WrongStatus
from tasks.models import Attempt, Task
from tasks.states import Status
from tests.factories import (
    counted,
    fresh,
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_job,
    recounted,
    steps_of,
    sweeps,
)
from tests.tasks.reporting import ACCEPTED, ALREADY, complete, fail
from tests.tasks.verbs import expire, last_event, lose

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


def failed_by_expiry(agent):
    task = make_held_task(agent, max_attempts=1)
    expire(task)
    return failed(task, "lease_expired")


def failed_by_loss(agent):
    task = make_held_task(agent)
    Task.objects.update(losses=settings.MAX_LOSSES - 1)
    lose(agent)
    return failed(task, "agents_lost")


def failed(task, reason):
    task = fresh(task)
    assert (task.status, task.dead_letter) == (Status.FAILED, reason)
    return task


put_back = pytest.mark.parametrize(
    "put_back", [put_back_by_expiry, put_back_by_loss, put_back_by_unlock]
)
failed_by = pytest.mark.parametrize("failed_by", [failed_by_expiry, failed_by_loss])


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


@failed_by
@pytest.mark.parametrize("epoch", [None, 1])
def test_the_last_holder_completes_a_task_that_the_coordinator_failed(agent, failed_by, epoch):
    task = failed_by(agent)

    assert complete(task, by=agent, epoch=epoch, result=7) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.result, task.agent) == (Status.DONE, 7, agent)
    assert (task.fail_reason, task.dead_letter, task.closed_epoch) == ("", "", 1)
    assert last_event(task) == ("task.completed", "agent:first", "")
    assert not Task.objects.dead_letters().exists()
    assert complete(task, by=agent, epoch=epoch, result=7) == ALREADY
    assert complete(task, by=agent, epoch=epoch, result=8) == WrongStatus


@failed_by
@pytest.mark.parametrize("epoch", [None, 1])
def test_a_late_failure_of_a_task_that_the_coordinator_failed_is_noted(agent, failed_by, epoch):
    task = failed_by(agent)

    assert fail(task, by=agent, epoch=epoch, reason="too late") == ACCEPTED

    noted = fresh(task)
    assert (noted.status, noted.dead_letter) == (Status.FAILED, task.dead_letter)
    assert (noted.fail_reason, Attempt.objects.get().reason) == ("too late", "too late")
    assert fail(task, by=agent, epoch=epoch) == ALREADY
    assert complete(task, by=agent, epoch=epoch) == WrongStatus


@failed_by
def test_nobody_else_completes_a_task_that_the_coordinator_failed(agent, other, failed_by):
    task = failed_by(agent)

    assert complete(task, by=other) == NotHolder
    assert complete(task, by=agent, epoch=2) == LeaseLost
    assert complete(task) == WrongStatus


@failed_by
@pytest.mark.parametrize("epoch", [None, 1])
def test_a_requeue_begins_anew_whatever_the_last_holder_says(agent, failed_by, epoch):
    task = failed_by(agent)
    transitions.requeue(task.pk, by="operator")

    assert complete(task, by=agent, epoch=epoch) == WrongStatus
    assert fail(task, by=agent, epoch=epoch) == WrongStatus


def test_a_late_completion_changes_the_counts_of_its_job_and_its_status():
    spot = make_agent("spot-1")
    job = make_job(tasks=1, max_attempts=1)
    task = give(spot, sweeps())
    expire(task)
    tally.fold()
    assert fresh(job).status == "FAILED"

    assert complete(task, by=spot, result={"fopt": 1}) == ACCEPTED

    assert counted(job) == recounted(job) == (1, 1, 0, 0)
    tally.fold()
    assert fresh(job).status == "COMPLETED"


def test_a_cancelled_task_takes_no_late_result(agent):
    task = make_held_task(agent)
    transitions.cancel(task.pk, by="operator")
    expire(task)

    assert complete(task, by=agent, result=7) == WrongStatus
    assert fail(task, by=agent) == WrongStatus


def test_a_step_that_was_unlocked_to_done_takes_the_result_of_its_last_holder(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=None, by="operator")
    transitions.unlock(task.pk, Status.DONE, by="operator")

    assert complete(task, by=agent, result=7) == ACCEPTED

    assert (fresh(task).status, fresh(task).result) == (Status.DONE, 7)
    assert complete(task, by=agent, result=8) == WrongStatus
