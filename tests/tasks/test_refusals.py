"""An agent says that it cannot do a task: others may have it, and a person when nobody can."""

import pytest
from django.db import transaction

from agents.models import Protocol
from events.models import Event
from tasks import claims, leases, reports, requirements, transitions
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.fast_path import ClaimRequest, Outcome
from tasks.models import Attempt, Requirement, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
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
from tests.tasks.reporting import ACCEPTED, ALREADY, LOST, done
from tests.tasks.verbs import last_line

pytestmark = pytest.mark.django_db

REASON = "UNSUPPORTED: no such algorithm"


def refused(task, agent, *, epoch=None, reason=REASON):
    """The verdict; of a lost refusal what was wrong with it. Such a one writes nothing."""
    before = Task.objects.filter(pk=task.pk).values().first()
    answer = reports.refuse(task.pk, agent_id=agent.pk, epoch=epoch, reason=reason)
    if answer.verdict in {ALREADY, LOST}:
        assert Task.objects.filter(pk=task.pk).values().first() == before
    return type(answer.problem) if answer.problem else answer.verdict


def refuse_by(number, task):
    """That many agents claim the task and refuse it."""
    for _ in range(number):
        agent = make_agent()
        assert take(agent, task.channel) == [task]
        assert refused(task, agent) == ACCEPTED


@pytest.fixture
def agent():
    return make_agent("first")


@pytest.fixture
def other():
    return make_agent("other")


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_refused_task_is_for_others_and_no_attempt_is_used(agent, other, epoch):
    task = make_held_task(agent, retry_delay_seconds=30)

    assert refused(task, agent, epoch=epoch) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.attempts, task.losses) == (Status.QUEUED, 0, 0)
    assert (task.agent, task.lease_expires_at, task.postponed) == (None, None, False)
    assert (task.fail_reason, task.last_holder) == (REASON, "first")
    attempt = Attempt.objects.get()
    assert (attempt.epoch, attempt.agent_id, attempt.outcome) == (1, "first", "refused")
    assert attempt.reason == REASON
    assert last_line(task) == ("task.retried", "agent:first", REASON)
    for protocol in (Protocol.PLAIN, Protocol.SPOT):
        assert not claims.claim(ClaimRequest("first", ids=[task.channel_id], protocol=protocol))
    assert take(agent, task.channel) == []
    assert give(other, task.channel) == task


def test_who_refused_a_task_gets_what_comes_next_in_line(agent):
    task = make_held_task(agent)
    behind = make_tasks(1, channel=task.channel)

    refused(task, agent)

    assert take(agent, task.channel, max_tasks=9) == behind


def test_what_it_wanted_before_it_still_wants(agent):
    task = make_task(requirement=requirements.of({"algorithm": "PSO"}))
    give(agent, task.channel)

    refused(task, agent)

    assert fresh(task).requirement.wants == {"algorithm": "PSO"}
    assert take(make_agent(offers={"algorithm": ["GA"]}), task.channel) == []
    assert take(make_agent(offers={"algorithm": ["PSO"]}), task.channel) == [task]


def test_each_task_remembers_its_own_refusals_in_rows_that_are_shared(agent):
    tasks = make_tasks(3, channel=make_task().channel)
    take(agent, tasks[0].channel, max_tasks=9)

    for task in tasks[:2]:
        refused(task, agent)

    assert fresh(tasks[0]).requirement == fresh(tasks[1]).requirement == Requirement.objects.get()
    assert fresh(tasks[2]).requirement is None


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_when_as_many_agents_as_it_has_attempts_refused_it_a_person_must_look(max_attempts):
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
    assert last_line(task) == ("task.failed", f"agent:{task.last_holder}", REASON)


def test_attempts_that_failed_and_refusals_do_not_add_up(agent, other):
    task = make_held_task(agent, max_attempts=2)
    refused(task, agent)
    give(other, task.channel)
    outcome = Outcome(task.pk, done=False, retriable=True)
    assert run_fast(other.pk, outcomes=[outcome])

    assert (fresh(task).status, fresh(task).attempts) == (Status.QUEUED, 1)
    assert take(other, task.channel) == [task]


@pytest.mark.parametrize("to", ["first", "unsupported"])
def test_requeued_by_a_person_it_is_for_everybody_again(agent, to):
    task = make_held_task(agent, max_attempts=2)
    refused(task, agent)
    if to == "unsupported":
        refuse_by(1, task)
    else:
        last = give(make_agent(), task.channel)
        reports.report_in_transaction([Outcome(last.pk, done=False)], agent_id=last.agent_id, by="")
    assert fresh(task).status == Status.FAILED

    transitions.requeue(task.pk, by="operator")

    task = fresh(task)
    assert (task.requirement, task.dead_letter, task.fail_reason) == (None, "", "")
    assert take(agent, task.channel) == [task]


def test_requeued_it_still_wants_what_it_wanted(agent):
    wanted = requirements.of({"algorithm": "PSO"})
    task = make_task(requirement=wanted, max_attempts=1)
    give(agent, task.channel)
    refused(task, agent)

    transitions.requeue(task.pk, by="operator")

    assert fresh(task).requirement == wanted


@pytest.mark.parametrize("epoch", [None, 1])
def test_the_same_refusal_again_changes_nothing(agent, epoch):
    task = make_held_task(agent)
    refused(task, agent, epoch=epoch)

    assert refused(task, agent, epoch=epoch) == ALREADY
    assert refused(task, agent, epoch=epoch, reason="another") == ALREADY
    assert Attempt.objects.count() == 1


def test_the_same_refusal_again_after_another_agent_has_the_task(agent, other):
    task = make_held_task(agent)
    refused(task, agent)
    give(other, task.channel)

    assert refused(task, agent, epoch=1) == ALREADY
    assert refused(task, agent) == NotHolder
    assert fresh(task).agent == other


def test_the_same_refusal_again_of_a_task_that_failed_by_it(agent):
    task = make_held_task(agent, max_attempts=1)
    refused(task, agent)

    assert refused(task, agent) == refused(task, agent, epoch=1) == ALREADY


def test_a_refusal_is_an_outcome_like_others_and_the_first_counts(agent):
    task = make_held_task(agent)
    refused(task, agent)

    assert done(task, by=agent) == done(task, by=agent, epoch=1) == WrongStatus


@pytest.mark.parametrize("retriable", [True, False])
def test_after_another_outcome_a_refusal_changes_nothing(agent, retriable):
    task = make_held_task(agent)
    outcome = Outcome(task.pk, done=False, retriable=retriable)
    reports.report_in_transaction([outcome], agent_id=agent.pk, by="")

    assert refused(task, agent) == ALREADY
    assert fresh(task).requirement is None


def test_a_refusal_of_a_task_that_is_done_or_cancelled_is_too_late(agent):
    finished, cancelled = make_held_task(agent), make_held_task(agent)
    done(finished, by=agent)
    for _ in range(2):
        transitions.cancel(cancelled.pk, by="operator")

    assert refused(finished, agent) == refused(cancelled, agent) == WrongStatus


def test_nobody_refuses_what_another_holds_or_nobody_ever_claimed(agent, other):
    held, queued = make_held_task(agent), make_task()

    assert refused(held, other) == NotHolder
    assert refused(queued, other) == NotHolder


def test_a_refusal_of_a_lease_that_is_over_changes_nothing(agent):
    task = make_held_task(agent)
    let_lease_run_out(task)
    leases.expire_leases()
    give(agent, task.channel)

    assert refused(task, agent, epoch=1) == LeaseLost
    assert refused(task, agent, epoch=3) == LeaseLost
    assert refused(task, agent, epoch=2) == ACCEPTED


def test_there_is_nothing_to_refuse_in_a_task_that_is_not_there(agent):
    assert refused(Task(title="t"), agent) == TaskUnknown


def test_a_refusal_renews_presence(agent):
    task = make_held_task(agent)
    silence(agent)

    refused(task, agent)

    assert type(agent).objects.online().filter(pk=agent.pk).exists()


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_cancellation_that_was_asked_takes_effect(agent, max_attempts):
    task = make_held_task(agent, max_attempts=max_attempts)
    transitions.cancel(task.pk, by="operator")

    assert refused(task, agent) == ACCEPTED

    task = fresh(task)
    assert (task.status, task.dead_letter) == (Status.CANCELLED, "")
    assert task.finished_at


@pytest.mark.parametrize("end", ["expiry", "loss"])
def test_a_late_refusal_is_only_noted(agent, other, end):
    task = make_held_task(agent)
    if end == "expiry":
        let_lease_run_out(task)
        leases.expire_leases()
    else:
        silence(agent)
        leases.release_lost()

    assert refused(task, agent) == ACCEPTED

    assert (fresh(task).status, fresh(task).fail_reason) == (Status.QUEUED, REASON)
    assert Attempt.objects.get().reason == REASON
    assert give(other, task.channel) == task


def test_losses_in_a_row_end_with_a_refusal(agent):
    task = make_held_task(agent)
    silence(agent)
    leases.release_lost()
    assert fresh(task).losses == 1

    refuse_by(1, task)

    assert fresh(task).losses == 0


# In a chain: only its owner can do it, so a person must look at once.


def test_in_a_chain_a_refused_step_has_failed_and_the_next_has_its_turn(agent):
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


def test_in_a_chain_too_a_cancellation_that_was_asked_takes_effect(agent):
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)
    transitions.cancel(task.pk, by="operator")

    assert refused(task, agent) == ACCEPTED

    assert (fresh(task).status, fresh(task).dead_letter) == (Status.CANCELLED, "")
    assert fresh(chain).status != "failed"


def test_a_refused_step_that_is_requeued_is_for_its_owner_again(agent):
    chain = make_chain(tasks=1)
    task = give(agent, chain.channel)
    refused(task, agent)

    transitions.requeue(task.pk, by="operator")

    assert take(agent, chain.channel) == [task]


def test_a_refusal_that_cannot_be_written_leaves_everything_as_it_was(agent):
    task = make_held_task(agent)
    Attempt.objects.create(task=task, epoch=1, agent_id="first", outcome="failed")
    before = Task.objects.filter(pk=task.pk).values().get()

    with pytest.raises(Exception, match="attempt_ends_once"), transaction.atomic():
        reports.refuse(task.pk, agent_id="first")

    assert Task.objects.filter(pk=task.pk).values().get() == before
    assert not Event.objects.filter(type="task.retried").exists()
