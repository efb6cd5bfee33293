"""Every way in which a task fails for good says why, and nothing says so afterwards."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from chains import transitions as chains
from tasks import batches, leases, reports, transitions
from tasks.fast_path import Outcome
from tasks.models import Task
from tasks.states import DeadLetter, Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_task,
    run_fast,
    silence,
    take,
)
from tests.tasks.reporting import done, failed

pytestmark = pytest.mark.django_db


def fast(task, **outcome):
    report = Outcome(task.pk, done=False, reason="broken", **outcome)
    assert run_fast(task.agent_id, outcomes=[report])


def slow(task, **outcome):
    reports.report_in_transaction(
        [Outcome(task.pk, done=False, reason="broken", **outcome)], agent_id=task.agent_id, by=""
    )


def operator(task, **outcome):
    reports.report_in_transaction(
        [Outcome(task.pk, done=False, **outcome)], agent_id=None, by="operator"
    )


def lease_expired(task):
    let_lease_run_out(task)
    leases.expire_leases()


def agents_lost(task):
    Task.objects.filter(pk=task.pk).update(losses=settings.MAX_LOSSES - 1)
    silence(task.agent)
    leases.release_lost()


def unsupported(task):
    reports.refuse(task.pk, agent_id=task.agent_id)


def ways_to_fail():
    for report in (fast, slow, operator):
        name = report.__name__
        yield pytest.param(lambda t, r=report: r(t, retriable=True), "exhausted", id=f"{name} 1")
        yield pytest.param(
            lambda t, r=report: r(t, retriable=False), "not_retriable", id=f"{name} 2"
        )
    for end in (lease_expired, agents_lost, unsupported):
        yield pytest.param(end, end.__name__, id=end.__name__)


every_way = pytest.mark.parametrize(("fail", "reason"), list(ways_to_fail()))


@every_way
def test_a_task_that_fails_for_good_says_why(fail, reason):
    agent = make_agent()
    task = give(agent, make_task(max_attempts=1).channel)

    fail(task)

    task = fresh(task)
    assert (task.status, task.dead_letter) == (Status.FAILED, reason)
    assert task.dead_letter in DeadLetter.values
    assert list(Task.objects.dead_letters()) == [task]


@pytest.mark.parametrize("report", [fast, slow])
def test_one_that_must_not_be_tried_again_says_so_also_with_attempts_left(report):
    task = give(make_agent(), make_task(max_attempts=3).channel)

    report(task, retriable=False)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.FAILED, "not_retriable")


@pytest.mark.parametrize("requeue", ["one", "all"])
@every_way
def test_requeued_it_is_no_dead_letter_and_has_all_its_chances_again(fail, reason, requeue):
    agent = make_agent()
    task = give(agent, make_task(max_attempts=1).channel)
    fail(task)

    if requeue == "one":
        transitions.requeue(task.pk, by="operator")
    else:
        assert batches.requeue_all(Task.objects.all(), by="operator") == 1

    again = fresh(task)
    assert (again.status, again.dead_letter, again.fail_reason) == (Status.QUEUED, "", "")
    assert (again.attempts, again.losses, again.finished_at) == (0, 0, None)
    assert (again.agent, again.claimed_at, again.requirement) == (None, None, None)
    assert not Task.objects.dead_letters().exists()
    assert take(agent, task.channel) == [task]
    assert fresh(task).lease_epoch == 2


@pytest.mark.parametrize("end", [lease_expired, agents_lost, unsupported])
def test_one_that_is_tried_again_is_no_dead_letter(end):
    task = give(make_agent(), make_task(max_attempts=2).channel)
    if end is agents_lost:
        silence(task.agent)
        leases.release_lost()
    else:
        end(task)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.QUEUED, "")


@every_way
def test_a_cancellation_that_was_asked_leaves_no_dead_letter(fail, reason):
    task = give(make_agent(), make_task(max_attempts=1).channel)
    transitions.cancel(task.pk, by="operator")

    fail(task)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.CANCELLED, "")


@pytest.mark.parametrize(("retriable", "reason"), [(True, "exhausted"), (False, "not_retriable")])
def test_a_step_of_a_chain_says_it_too(retriable, reason):
    chain = make_chain()
    task = make_task(chain=chain, max_attempts=1)
    agent = make_agent()
    give(agent, chain.channel)

    failed(task, by=agent, retriable=retriable)

    assert fresh(task).dead_letter == reason
    transitions.requeue(task.pk, by="operator")
    assert fresh(task).dead_letter == ""


def test_in_a_chain_an_expired_lease_or_a_lost_agent_is_no_dead_letter_but_locked():
    for end in (chains.detach_expired, chains.detach_lost):
        task = give(agent := make_agent(), make_chain(tasks=1).channel, lease_seconds=60)
        let_lease_run_out(task)
        silence(agent)

        assert end() == 1

        assert (fresh(task).status, fresh(task).dead_letter) == (Status.LOCKED, "")


def test_a_late_completion_leaves_no_dead_letter():
    task = give(agent := make_agent(), make_task().channel)
    lease_expired(task)

    done(task, by=agent)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.DONE, "")


def test_the_latest_dead_letter_is_on_top():
    tasks = [give(make_agent(), make_task(max_attempts=1).channel) for _ in range(3)]
    for task in tasks:
        slow(task)
    for days, task in enumerate(tasks):
        ended = F("finished_at") - timedelta(days=days)
        Task.objects.filter(pk=task.pk).update(finished_at=ended)

    assert list(Task.objects.dead_letters()) == tasks
