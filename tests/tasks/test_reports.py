"""The matrix of reports: who reports what, on a task that is held, was held, or never was."""

from uuid import uuid4

import pytest

from chains import transitions as chains
from events.models import Event
from problems import Conflict
from tasks import leases, reports, transitions
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.fast_path import ClaimRequest, Outcome
from tasks.models import Attempt, AttemptOutcome, Task
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
    silence,
)
from tests.tasks.reporting import ACCEPTED, ALREADY, LOST, done, failed

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return make_agent("first")


@pytest.fixture
def other():
    return make_agent("other")


@pytest.fixture
def held(agent):
    return make_held_task(agent)


# Held.


def test_the_holder_completes_its_task_with_a_result(held, agent):
    assert done(held, by=agent, result={"sum": 3}) == ACCEPTED

    task = fresh(held)
    assert (task.status, task.result, task.agent) == (Status.DONE, {"sum": 3}, agent)
    assert (task.closed_epoch, task.lease_expires_at) == (1, None)
    assert task.finished_at
    line = Event.objects.about_task(held.pk).first()
    assert (line.type, line.actor, line.agent_id) == ("task.completed", "agent:first", "first")


def test_the_holder_fails_its_task_for_good(held, agent):
    assert failed(held, by=agent, reason="no compiler") == ACCEPTED

    task = fresh(held)
    assert (task.status, task.fail_reason, task.attempts) == (Status.FAILED, "no compiler", 1)
    attempt = Attempt.objects.get()
    assert (attempt.task, attempt.epoch, attempt.agent_id) == (task, 1, "first")
    assert (attempt.outcome, attempt.reason) == (AttemptOutcome.FAILED, "no compiler")
    assert Event.objects.about_task(held.pk).first().type == "task.failed"


def test_a_fail_that_says_so_is_tried_again_until_the_attempts_are_spent(held, agent):
    for attempts in (1, 2):
        assert failed(held, by=agent, retriable=True) == ACCEPTED
        task = fresh(held)
        assert (task.status, task.attempts, task.agent) == (Status.QUEUED, attempts, None)
        give(agent, held.channel)

    assert failed(held, by=agent, retriable=True) == ACCEPTED

    assert fresh(held).status == Status.FAILED
    assert Attempt.objects.count() == 3
    types = Event.objects.about_task(held.pk).values_list("type", flat=True)
    assert list(types)[::-1] == [
        "task.created",
        *["task.claimed", "task.retried"] * 2,
        "task.claimed",
        "task.failed",
    ]


def test_a_retry_keeps_its_place_in_line(agent, other):
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    give(agent, channel)

    failed(first, by=agent, retriable=True)

    assert [give(other, channel), give(other, channel)] == [first, second]


@pytest.mark.parametrize("report", [done, failed])
def test_the_epoch_that_is_held_counts(held, agent, report):
    assert report(held, by=agent, epoch=1) == ACCEPTED


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("report", [done, failed])
def test_an_epoch_that_is_not_held_changes_nothing(held, agent, report, epoch):
    assert report(held, by=agent, epoch=epoch) == LeaseLost


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [done, failed])
def test_only_the_holder_may_end_a_task(held, other, report, epoch):
    assert report(held, by=other, epoch=epoch) == NotHolder


def test_an_agent_never_heard_of_is_not_made_by_its_report(held):
    stranger = make_agent("stranger")
    stranger_id, _ = stranger.pk, stranger.delete()

    answers, _ = reports.report_in_transaction(
        [Outcome(held.pk, done=True)], agent_id=stranger_id, by=""
    )

    assert answers[0].verdict == LOST
    assert not type(held.agent).objects.filter(pk=stranger_id).exists()


@pytest.mark.parametrize(("report", "status"), [(done, Status.DONE), (failed, Status.FAILED)])
def test_an_operator_may_end_any_task_in_progress(held, report, status):
    assert report(held) == ACCEPTED

    assert fresh(held).status == status
    assert Event.objects.about_task(held.pk).first().actor == "operator"


def test_a_task_that_does_not_exist_is_unknown(agent):
    answers, _ = reports.report_in_transaction(
        [Outcome(uuid4(), done=True)], agent_id=agent.pk, by=""
    )

    assert isinstance(answers[0].problem, TaskUnknown)


def test_a_report_renews_the_presence_of_its_agent(held, agent):
    silence(agent)

    done(held, by=agent)

    assert fresh(agent).last_seen_at > agent.last_seen_at.replace(minute=0, hour=0)
    assert type(agent).objects.online().filter(pk=agent.pk).exists()


# Said before.


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [done, failed])
def test_the_same_report_again_changes_nothing(held, agent, report, epoch):
    report(held, by=agent, epoch=epoch)

    assert report(held, by=agent, epoch=epoch) == ALREADY
    assert Attempt.objects.count() == (report is failed)


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize(("first", "second"), [(done, failed), (failed, done)])
def test_another_outcome_of_a_closed_epoch_is_refused(held, agent, first, second, epoch):
    first(held, by=agent, epoch=epoch)

    assert second(held, by=agent, epoch=epoch) == WrongStatus


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [done, failed])
def test_the_same_again_after_the_agent_took_another_task(held, agent, report, epoch):
    make_task(held.channel)
    report(held, by=agent, epoch=epoch)
    give(agent, held.channel)

    assert report(held, by=agent, epoch=epoch) == ALREADY


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_fail_again_after_its_retry_was_queued(held, agent, epoch):
    failed(held, by=agent, epoch=epoch, retriable=True)

    assert failed(held, by=agent, epoch=epoch, retriable=True) == ALREADY
    assert done(held, by=agent, epoch=epoch) == WrongStatus


def test_a_fail_again_after_its_retry_was_claimed_by_the_same_agent(held, agent):
    failed(held, by=agent, epoch=1, retriable=True)
    give(agent, held.channel)

    assert failed(held, by=agent, epoch=1, retriable=True) == ALREADY
    assert done(held, by=agent, epoch=1) == LeaseLost
    assert done(held, by=agent, epoch=2) == ACCEPTED


def test_a_fail_again_after_its_retry_was_claimed_by_another_agent(held, agent, other):
    failed(held, by=agent, epoch=1, retriable=True)
    give(other, held.channel)

    assert failed(held, by=agent, epoch=1, retriable=True) == ALREADY
    assert failed(held, by=agent, retriable=True) == NotHolder
    assert failed(held, by=other, epoch=1) == LeaseLost
    assert done(held, by=agent, epoch=1) == LeaseLost


def test_a_fail_again_that_names_its_epoch_but_no_agent(held, agent):
    failed(held, by=agent, epoch=1, retriable=True)
    give(agent, held.channel)

    assert failed(held, epoch=1) == ALREADY


def test_a_fail_again_after_a_person_requeued_it(held, agent):
    failed(held, by=agent, epoch=1)
    transitions.requeue(held.pk, by="operator")

    assert failed(held, by=agent, epoch=1) == ALREADY
    assert done(held, by=agent, epoch=1) == WrongStatus


def test_a_task_done_by_an_operator_is_done_already_for_its_agent(held, agent, other):
    done(held)

    assert done(held, by=agent) == ALREADY
    assert done(held, by=agent, epoch=1) == ALREADY
    assert failed(held, by=agent) == WrongStatus
    assert done(held, by=other) == NotHolder
    assert done(held) == ALREADY


# Not to be reported at all.


@pytest.mark.parametrize("report", [done, failed])
def test_a_task_that_nobody_claimed_cannot_be_reported(agent, report):
    task = make_task()

    assert report(task, by=agent) == NotHolder
    assert report(task) == WrongStatus
    assert report(task, by=agent, epoch=1) == LeaseLost


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [done, failed])
def test_a_locked_task_cannot_be_reported(agent, report, epoch):
    chain = make_chain(tasks=1)
    task = give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="operator")

    assert report(task, by=agent, epoch=epoch) == WrongStatus
    assert report(task, epoch=epoch) == WrongStatus


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [done, failed])
def test_a_cancelled_task_cannot_be_reported(held, agent, report, epoch):
    transitions.cancel(held.pk, by="operator")
    transitions.cancel(held.pk, by="operator")

    assert report(held, by=agent, epoch=epoch) == WrongStatus
    assert report(held, epoch=epoch) == WrongStatus


def test_a_task_that_expiry_failed_cannot_be_completed(agent):
    task = make_held_task(agent, max_attempts=1)
    let_lease_run_out(task)
    leases.expire_leases()

    assert fresh(task).status == Status.FAILED
    assert done(task, by=agent) == WrongStatus
    assert done(task, by=agent, epoch=1) == WrongStatus


# Several at once, and a claim.


def test_each_outcome_is_answered_on_its_own(agent, other):
    channel = make_channel()
    mine, again, lost = make_tasks(3, channel=channel)
    give(agent, channel), give(agent, channel), give(other, channel)
    done(again, by=agent)
    outcomes = [Outcome(task.pk, done=True) for task in (lost, mine, again)]

    answers, _ = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

    assert [answer.task_id for answer in answers] == [lost.pk, mine.pk, again.pk]
    assert [answer.verdict for answer in answers] == [LOST, ACCEPTED, ALREADY]
    assert isinstance(answers[0].problem, Conflict)


def test_a_task_named_twice_is_reported_once(held, agent):
    outcomes = [Outcome(held.pk, done=False, reason="a"), Outcome(held.pk, done=False, reason="b")]
    outcomes += [Outcome(held.pk, done=True)]

    answers, _ = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

    assert [answer.verdict for answer in answers] == [ACCEPTED, ALREADY, LOST]
    assert fresh(held).fail_reason == "a"


def test_a_report_and_a_claim_of_the_next_step_are_one(agent):
    chain = make_chain(tasks=2)
    first = give(agent, chain.channel)
    request = ClaimRequest(agent_id=agent.pk, ids=[chain.channel_id])

    answers, tasks = reports.report_in_transaction(
        [Outcome(first.pk, done=True)], agent_id=agent.pk, by="", request=request
    )

    assert [answer.verdict for answer in answers] == [ACCEPTED]
    assert [task.sequence for task in tasks] == [2]


def test_a_report_and_a_claim_with_a_key_may_be_sent_again(agent):
    channel = make_channel()
    make_tasks(3, channel=channel)
    first = give(agent, channel)
    request = ClaimRequest(agent_id=agent.pk, ids=[channel.pk], key="k")
    outcomes = [Outcome(first.pk, done=True)]
    _, tasks = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="", request=request)

    answers, again = reports.report_in_transaction(
        outcomes, agent_id=agent.pk, by="", request=request
    )

    assert [answer.verdict for answer in answers] == [ALREADY]
    assert again == tasks
    assert Task.objects.in_progress().get().pk == tasks[0].id
