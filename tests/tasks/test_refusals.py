"""Refusals: the task goes to other agents; if too many refuse it, it is a dead letter."""

import pytest
from django.db import transaction

from agents.models import Protocol
from events.models import Event
from tasks import claims, reports, requirements, transitions
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.models import Attempt, Requirement, Task
from tasks.rows import ClaimRequest, Outcome
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_task,
    make_tasks,
    run_fast,
    silence,
    steps_of,
    take,
)
from tests.tasks.reporting import ACCEPTED, ALREADY, complete, fail
from tests.tasks.verbs import ENDS, expire, last_event, lose

pytestmark = pytest.mark.django_db

REASON = "UNSUPPORTED: no such algorithm"


def refused(task, agent, *, epoch=None, reason=REASON):
    """The verdict, or the class of the problem of a lost refusal. Only an accepted one writes."""
    before = Task.objects.filter(pk=task.pk).values().first()
    verdict = reports.refuse(task.pk, agent_id=agent.pk, epoch=epoch, reason=reason)
    if verdict.verdict != ACCEPTED:
        assert Task.objects.filter(pk=task.pk).values().first() == before
    return type(verdict.problem) if verdict.problem else verdict.verdict


def refuse_by(number, task):
    """That many agents claim the task and refuse it."""
    for _ in range(number):
        agent = make_agent()
        assert take(agent, task.channel) == [task]
        assert refused(task, agent) == ACCEPTED


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_refused_task_goes_to_others_and_uses_no_attempt(agent, other, epoch):
    task = make_held_task(agent, retry_delay_seconds=30)

    assert refused(task, agent, epoch=epoch) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.attempts, task.losses) == (Status.QUEUED, 0, 0)
    assert (task.agent, task.lease_expires_at, task.postponed) == (None, None, False)
    assert (task.fail_reason, task.last_holder) == (REASON, "first")
    attempt = Attempt.objects.get()
    assert (attempt.epoch, attempt.agent_id, attempt.outcome) == (1, "first", "refused")
    assert attempt.reason == REASON
    assert last_event(task) == ("task.retried", "agent:first", REASON)
    for protocol in (Protocol.PLAIN, Protocol.SPOT):
        assert not claims.claim(ClaimRequest("first", ids=[task.channel_id], protocol=protocol))
    assert take(agent, task.channel) == []
    assert give(other, task.channel) == task


def test_an_agent_that_refused_a_task_gets_the_next_one(agent):
    task = make_held_task(agent)
    behind = make_tasks(1, channel=task.channel)

    refused(task, agent)

    assert take(agent, task.channel, max_tasks=9) == behind


def test_a_refused_task_keeps_its_requirement(agent):
    task = make_task(requirement=requirements.of({"algorithm": "PSO"}))
    give(agent, task.channel)

    refused(task, agent)

    assert fresh(task).requirement.wants == {"algorithm": "PSO"}
    assert take(make_agent(offers={"algorithm": ["GA"]}), task.channel) == []
    assert take(make_agent(offers={"algorithm": ["PSO"]}), task.channel) == [task]


def test_tasks_with_the_same_refusals_share_a_requirement(agent):
    tasks = make_tasks(3, channel=make_task().channel)
    take(agent, tasks[0].channel, max_tasks=9)

    for task in tasks[:2]:
        refused(task, agent)

    assert fresh(tasks[0]).requirement == fresh(tasks[1]).requirement == Requirement.objects.get()
    assert fresh(tasks[2]).requirement is None


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_task_refused_by_as_many_agents_as_it_has_attempts_is_a_dead_letter(max_attempts):
    task = make_task(max_attempts=max_attempts)
    refuse_by(max_attempts - 1, task)
    assert fresh(task).status == Status.QUEUED

    refuse_by(1, task)

    task = fresh(task)
    assert (task.status, task.dead_letter, task.attempts) == (Status.FAILED, "unsupported", 0)
    assert task.finished_at
    assert task.fail_reason == REASON
    assert task.agent_id == task.last_holder
    assert Attempt.objects.filter(outcome="refused").count() == max_attempts
    assert last_event(task) == ("task.failed", f"agent:{task.last_holder}", REASON)


def test_failed_attempts_and_refusals_are_counted_apart(agent, other):
    task = make_held_task(agent, max_attempts=2)
    refused(task, agent)
    give(other, task.channel)
    outcome = Outcome(task.pk, done=False, retriable=True)
    assert run_fast(other.pk, outcomes=[outcome])

    assert (fresh(task).status, fresh(task).attempts) == (Status.QUEUED, 1)
    assert take(other, task.channel) == [task]


@pytest.mark.parametrize("to", ["first", "unsupported"])
def test_a_requeued_task_is_for_every_agent_again(agent, to):
    task = make_held_task(agent, max_attempts=2)
    refused(task, agent)
    if to == "unsupported":
        refuse_by(1, task)
    else:
        fail(give(make_agent(), task.channel))
    assert fresh(task).status == Status.FAILED

    transitions.requeue(task.pk, by="operator")

    task = fresh(task)
    assert (task.requirement, task.dead_letter, task.fail_reason) == (None, "", "")
    assert take(agent, task.channel) == [task]


def test_a_requeued_task_keeps_its_requirement(agent):
    wanted = requirements.of({"algorithm": "PSO"})
    task = make_task(requirement=wanted, max_attempts=1)
    give(agent, task.channel)
    refused(task, agent)

    transitions.requeue(task.pk, by="operator")

    assert fresh(task).requirement == wanted


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_repeated_refusal_changes_nothing(agent, epoch):
    task = make_held_task(agent)
    refused(task, agent, epoch=epoch)

    assert refused(task, agent, epoch=epoch) == ALREADY
    assert refused(task, agent, epoch=epoch, reason="another") == ALREADY
    assert Attempt.objects.count() == 1


def test_a_refusal_may_be_repeated_after_another_agent_claimed_the_task(agent, other):
    task = make_held_task(agent)
    refused(task, agent)
    give(other, task.channel)

    assert refused(task, agent, epoch=1) == ALREADY
    assert refused(task, agent) == NotHolder
    assert fresh(task).agent == other


def test_a_refusal_that_failed_the_task_may_be_repeated(agent):
    task = make_held_task(agent, max_attempts=1)
    refused(task, agent)

    assert refused(task, agent) == refused(task, agent, epoch=1) == ALREADY


def test_no_other_outcome_is_accepted_after_a_refusal(agent):
    task = make_held_task(agent)
    refused(task, agent)

    assert complete(task, by=agent) == complete(task, by=agent, epoch=1) == WrongStatus


@pytest.mark.parametrize("retriable", [True, False])
def test_a_refusal_after_a_failure_changes_nothing(agent, retriable):
    task = make_held_task(agent)
    fail(task, by=agent, retriable=retriable)

    assert refused(task, agent) == ALREADY
    assert fresh(task).requirement is None


def test_a_task_that_is_done_or_cancelled_cannot_be_refused(agent):
    finished, cancelled = make_held_task(agent), make_held_task(agent)
    complete(finished, by=agent)
    transitions.cancel(cancelled.pk, by="operator", force=True)

    assert refused(finished, agent) == refused(cancelled, agent) == WrongStatus


def test_only_the_holder_may_refuse_a_task(agent, other):
    held, queued = make_held_task(agent), make_task()

    assert refused(held, other) == NotHolder
    assert refused(queued, other) == NotHolder


def test_a_refusal_with_another_epoch_is_lost(agent):
    task = make_held_task(agent)
    expire(task)
    give(agent, task.channel)

    assert refused(task, agent, epoch=1) == LeaseLost
    assert refused(task, agent, epoch=3) == LeaseLost
    assert refused(task, agent, epoch=2) == ACCEPTED


def test_an_unknown_task_cannot_be_refused(agent):
    assert refused(Task(title="t"), agent) == TaskUnknown


def test_a_refusal_renews_presence(agent):
    task = make_held_task(agent)
    silence(agent)

    refused(task, agent)

    assert type(agent).objects.online().filter(pk=agent.pk).exists()


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_refusal_cancels_a_task_that_was_asked_to_stop(agent, max_attempts):
    task = make_held_task(agent, max_attempts=max_attempts)
    transitions.cancel(task.pk, by="operator")

    assert refused(task, agent) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.dead_letter) == (Status.CANCELLED, "")
    assert task.finished_at


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_late_refusal_only_stores_its_reason(agent, other, end):
    task = make_held_task(agent)
    end(task)

    assert refused(task, agent) == ACCEPTED

    assert (fresh(task).status, fresh(task).fail_reason) == (Status.QUEUED, REASON)
    assert Attempt.objects.get().reason == REASON
    assert give(other, task.channel) == task


def test_a_refusal_ends_a_series_of_losses(agent):
    task = make_held_task(agent)
    lose(agent)
    assert fresh(task).losses == 1

    refuse_by(1, task)

    assert fresh(task).losses == 0


# Chains: only the owner can do the task, so one refusal makes it a dead letter.


def test_a_refused_step_fails_and_the_next_gets_the_turn(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)

    assert refused(task, agent, epoch=1) == ACCEPTED

    first, second = steps_of(chain)
    assert (first.status, first.dead_letter) == (Status.FAILED, "unsupported")
    assert (first.fail_reason, first.requirement) == (REASON, None)
    assert (fresh(chain).status, second.blocked) == ("failed", False)
    assert Attempt.objects.get().reason == REASON
    assert refused(task, agent) == ALREADY
    assert take(agent, chain.channel) == [second]


def test_a_refusal_cancels_a_step_that_was_asked_to_stop(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)
    transitions.cancel(task.pk, by="operator")

    assert refused(task, agent) == ACCEPTED

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.CANCELLED, "")
    assert fresh(chain).status != "failed"


def test_a_requeued_step_goes_to_the_owner_that_refused_it(agent):
    chain = make_chain(tasks=1)
    task = give(agent, chain.channel)
    refused(task, agent)

    transitions.requeue(task.pk, by="operator")

    assert take(agent, chain.channel) == [task]


def test_a_refusal_that_cannot_be_stored_changes_nothing(agent):
    task = make_held_task(agent)
    Attempt.objects.create(task=task, epoch=1, agent_id="first", outcome="failed")
    before = Task.objects.filter(pk=task.pk).values().get()

    with pytest.raises(Exception, match="attempt_ends_once"), transaction.atomic():
        reports.refuse(task.pk, agent_id="first")

    assert Task.objects.filter(pk=task.pk).values().get() == before
    assert not Event.objects.filter(type="task.retried").exists()
