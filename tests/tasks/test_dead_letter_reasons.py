"""A task that fails for good has the reason in `dead_letter`; after a requeue it has none."""

from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.db.models import F

from chains import transitions as chains
from tasks import batches, reports, transitions
from tasks.models import Task
from tasks.states import DeadLetter, Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_task,
    silence,
    take,
)
from tests.tasks.paths import fail_by_fast_path, fail_in_transaction
from tests.tasks.reporting import complete, fail
from tests.tasks.verbs import ENDS, expire, lose

pytestmark = pytest.mark.django_db


def unsupported(task):
    reports.refuse(task.pk, agent_id=task.agent_id)


def lease_expired(task):
    expire(task)


def agents_lost(task):
    Task.objects.filter(pk=task.pk).update(losses=settings.MAX_LOSSES - 1)
    lose(task.agent)


REPORTS = {"fast": fail_by_fast_path, "transactional": fail_in_transaction, "operator": fail}
FAILURES = {
    **{
        f"{name} {reason}": (partial(report, retriable=retriable), reason)
        for name, report in REPORTS.items()
        for retriable, reason in [(True, "exhausted"), (False, "not_retriable")]
    },
    **{end.__name__: (end, end.__name__) for end in (lease_expired, agents_lost, unsupported)},
}
each_failure = pytest.mark.parametrize(("fail", "reason"), FAILURES.values(), ids=FAILURES)


@each_failure
def test_a_task_that_fails_for_good_has_the_reason(fail, reason):
    agent = make_agent()
    task = give(agent, make_task(max_attempts=1).channel)

    fail(task)

    task = fresh(task)
    assert (task.status, task.dead_letter) == (Status.FAILED, reason)
    assert task.dead_letter in DeadLetter.values
    assert list(Task.objects.dead_letters()) == [task]


@pytest.mark.parametrize("report", [fail_by_fast_path, fail_in_transaction])
def test_a_failure_that_is_not_retriable_is_final_with_attempts_left(report):
    task = give(make_agent(), make_task(max_attempts=3).channel)

    report(task, retriable=False)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.FAILED, "not_retriable")


@pytest.mark.parametrize("requeue", ["one", "all"])
@each_failure
def test_a_requeued_task_is_no_dead_letter_and_has_all_its_attempts(fail, reason, requeue):
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


@pytest.mark.parametrize("end", [*ENDS.values(), unsupported])
def test_a_task_that_is_tried_again_is_no_dead_letter(end):
    task = give(make_agent(), make_task(max_attempts=2).channel)

    end(task)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.QUEUED, "")


@each_failure
def test_a_task_that_was_asked_to_stop_is_cancelled_and_no_dead_letter(fail, reason):
    task = give(make_agent(), make_task(max_attempts=1).channel)
    transitions.cancel(task.pk, by="operator")

    fail(task)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.CANCELLED, "")


@pytest.mark.parametrize(("retriable", "reason"), [(True, "exhausted"), (False, "not_retriable")])
def test_a_step_of_a_chain_has_the_reason_too(retriable, reason):
    chain = make_chain()
    task = make_task(chain=chain, max_attempts=1)
    agent = make_agent()
    give(agent, chain.channel)

    fail(task, by=agent, retriable=retriable)

    assert fresh(task).dead_letter == reason
    transitions.requeue(task.pk, by="operator")
    assert fresh(task).dead_letter == ""


def test_a_step_whose_lease_expired_or_agent_was_lost_is_locked_and_no_dead_letter():
    for end in (chains.detach_expired, chains.detach_lost):
        task = give(agent := make_agent(), make_chain(tasks=1).channel, lease_seconds=60)
        let_lease_run_out(task)
        silence(agent)

        assert end() == 1

        assert (fresh(task).status, fresh(task).dead_letter) == (Status.LOCKED, "")


def test_a_late_completion_leaves_no_dead_letter():
    task = give(agent := make_agent(), make_task().channel)
    lease_expired(task)

    complete(task, by=agent)

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.DONE, "")


def test_dead_letters_are_listed_latest_first():
    tasks = [give(make_agent(), make_task(max_attempts=1).channel) for _ in range(3)]
    for task in tasks:
        fail(task)
    for days, task in enumerate(tasks):
        ended = F("finished_at") - timedelta(days=days)
        Task.objects.filter(pk=task.pk).update(finished_at=ended)

    assert list(Task.objects.dead_letters()) == tasks
