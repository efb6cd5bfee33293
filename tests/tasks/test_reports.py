"""Reports, by who reports which outcome of a task that is held, was held or never was."""

import pytest

from chains import transitions as chains
from events.models import Event
from problems import Conflict
from tasks import reports, transitions
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.models import Attempt, AttemptOutcome, Task
from tasks.rows import ClaimRequest, Outcome
from tasks.states import Status
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
)
from tests.tasks.reporting import ACCEPTED, ALREADY, LOST, complete, fail

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(agent):
    return make_held_task(agent)


# Held.


def test_the_holder_completes_its_task_with_a_result(held, agent):
    assert complete(held, by=agent, result={"sum": 3}) == ACCEPTED

    task = fresh(held)
    assert (task.status, task.result, task.agent) == (Status.DONE, {"sum": 3}, agent)
    assert (task.closed_epoch, task.lease_expires_at) == (1, None)
    assert task.finished_at
    event = Event.objects.about_task(held.pk).first()
    assert (event.type, event.actor, event.agent_id) == ("task.completed", "agent:first", "first")


def test_the_holder_fails_its_task_for_good(held, agent):
    assert fail(held, by=agent, reason="no compiler") == ACCEPTED

    task = fresh(held)
    assert (task.status, task.fail_reason, task.attempts) == (Status.FAILED, "no compiler", 1)
    attempt = Attempt.objects.get()
    assert (attempt.task, attempt.epoch, attempt.agent_id) == (task, 1, "first")
    assert (attempt.outcome, attempt.reason) == (AttemptOutcome.FAILED, "no compiler")
    assert Event.objects.about_task(held.pk).first().type == "task.failed"


def test_a_retriable_failure_is_tried_again_until_all_attempts_are_used(held, agent):
    for attempts in (1, 2):
        assert fail(held, by=agent, retriable=True) == ACCEPTED
        task = fresh(held)
        assert (task.status, task.attempts, task.agent) == (Status.QUEUED, attempts, None)
        give(agent, held.channel)

    assert fail(held, by=agent, retriable=True) == ACCEPTED

    assert fresh(held).status == Status.FAILED
    assert Attempt.objects.count() == 3
    types = Event.objects.about_task(held.pk).values_list("type", flat=True)
    assert list(types)[::-1] == [
        "task.created",
        *["task.claimed", "task.retried"] * 2,
        "task.claimed",
        "task.failed",
    ]


def test_a_retry_keeps_its_position_in_the_queue(agent, other):
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    give(agent, channel)

    fail(first, by=agent, retriable=True)

    assert [give(other, channel), give(other, channel)] == [first, second]


@pytest.mark.parametrize("report", [complete, fail])
def test_a_report_with_the_current_epoch_is_accepted(held, agent, report):
    assert report(held, by=agent, epoch=1) == ACCEPTED


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("report", [complete, fail])
def test_a_report_with_another_epoch_is_lost(held, agent, report, epoch):
    assert report(held, by=agent, epoch=epoch) == LeaseLost


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [complete, fail])
def test_only_the_holder_may_end_a_task(held, other, report, epoch):
    assert report(held, by=other, epoch=epoch) == NotHolder


def test_a_report_does_not_register_an_unknown_agent(held):
    stranger = make_agent("stranger")
    type(stranger).objects.filter(pk=stranger.pk).delete()

    assert complete(held, by=stranger) == NotHolder

    assert not type(stranger).objects.filter(pk=stranger.pk).exists()


@pytest.mark.parametrize(("report", "status"), [(complete, Status.DONE), (fail, Status.FAILED)])
def test_an_operator_may_end_any_task_in_progress(held, report, status):
    assert report(held) == ACCEPTED

    assert fresh(held).status == status
    assert Event.objects.about_task(held.pk).first().actor == "operator"


def test_a_task_that_does_not_exist_is_unknown(agent):
    assert complete(Task(title="t"), by=agent) == TaskUnknown


def test_a_report_renews_the_presence_of_its_agent(held, agent):
    silence(agent)

    complete(held, by=agent)

    assert fresh(agent).last_seen_at > agent.last_seen_at.replace(minute=0, hour=0)
    assert type(agent).objects.online().filter(pk=agent.pk).exists()


# Repeated.


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [complete, fail])
def test_a_repeated_report_changes_nothing(held, agent, report, epoch):
    report(held, by=agent, epoch=epoch)

    assert report(held, by=agent, epoch=epoch) == ALREADY
    assert Attempt.objects.count() == (report is fail)


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize(("first", "second"), [(complete, fail), (fail, complete)])
def test_another_outcome_of_a_closed_epoch_is_refused(held, agent, first, second, epoch):
    first(held, by=agent, epoch=epoch)

    assert second(held, by=agent, epoch=epoch) == WrongStatus


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [complete, fail])
def test_a_report_may_be_repeated_after_the_agent_claimed_another_task(held, agent, report, epoch):
    make_task(held.channel)
    report(held, by=agent, epoch=epoch)
    give(agent, held.channel)

    assert report(held, by=agent, epoch=epoch) == ALREADY


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_failure_may_be_repeated_after_its_retry_was_queued(held, agent, epoch):
    fail(held, by=agent, epoch=epoch, retriable=True)

    assert fail(held, by=agent, epoch=epoch, retriable=True) == ALREADY
    assert complete(held, by=agent, epoch=epoch) == WrongStatus


def test_a_failure_may_be_repeated_after_the_same_agent_claimed_the_retry(held, agent):
    fail(held, by=agent, epoch=1, retriable=True)
    give(agent, held.channel)

    assert fail(held, by=agent, epoch=1, retriable=True) == ALREADY
    assert complete(held, by=agent, epoch=1) == LeaseLost
    assert complete(held, by=agent, epoch=2) == ACCEPTED


def test_a_failure_may_be_repeated_after_another_agent_claimed_the_retry(held, agent, other):
    fail(held, by=agent, epoch=1, retriable=True)
    give(other, held.channel)

    assert fail(held, by=agent, epoch=1, retriable=True) == ALREADY
    assert fail(held, by=agent, retriable=True) == NotHolder
    assert fail(held, by=other, epoch=1) == LeaseLost
    assert complete(held, by=agent, epoch=1) == LeaseLost


def test_an_operator_may_repeat_a_failure_by_its_epoch(held, agent):
    fail(held, by=agent, epoch=1, retriable=True)
    give(agent, held.channel)

    assert fail(held, epoch=1) == ALREADY


def test_a_failure_may_be_repeated_after_a_requeue(held, agent):
    fail(held, by=agent, epoch=1)
    transitions.requeue(held.pk, by="operator")

    assert fail(held, by=agent, epoch=1) == ALREADY
    assert complete(held, by=agent, epoch=1) == WrongStatus


def test_a_task_that_an_operator_completed_is_already_done_for_its_agent(held, agent, other):
    complete(held)

    assert complete(held, by=agent) == ALREADY
    assert complete(held, by=agent, epoch=1) == ALREADY
    assert fail(held, by=agent) == WrongStatus
    assert complete(held, by=other) == NotHolder
    assert complete(held) == ALREADY


@pytest.mark.parametrize("epoch", [None, 1])
def test_another_result_of_a_done_task_is_refused_and_not_thrown_away(held, agent, epoch):
    complete(held, by=agent, epoch=epoch, result={"n": 1e300, "of": [1, 2.0]})

    assert complete(held, by=agent, epoch=epoch, result={"of": [1.0, 2], "n": 1e300}) == ALREADY
    assert complete(held, by=agent, epoch=epoch) == ALREADY
    assert complete(held, by=agent, epoch=epoch, result={"n": 2}) == WrongStatus
    assert complete(held, result={"n": 2}) == WrongStatus


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_task_that_a_person_set_to_done_takes_the_result_of_its_last_holder(
    held, agent, other, epoch
):
    complete(held)

    assert complete(held, by=other, epoch=epoch, result=7) == NotHolder
    assert complete(held, by=agent, epoch=epoch, result=7) == ACCEPTED
    assert complete(held, by=agent, epoch=epoch, result=7) == ALREADY
    assert complete(held, by=agent, epoch=epoch, result=8) == WrongStatus

    task = fresh(held)
    assert (task.status, task.result, task.closed_epoch) == (Status.DONE, 7, 1)


# Not held.


@pytest.mark.parametrize("report", [complete, fail])
def test_a_task_that_was_never_claimed_cannot_be_reported(agent, report):
    task = make_task()

    assert report(task, by=agent) == NotHolder
    assert report(task) == WrongStatus
    assert report(task, by=agent, epoch=1) == LeaseLost


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [complete, fail])
def test_a_locked_task_cannot_be_reported(agent, report, epoch):
    chain = make_chain(tasks=1)
    task = give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="operator")

    assert report(task, by=agent, epoch=epoch) == WrongStatus
    assert report(task, epoch=epoch) == WrongStatus


@pytest.mark.parametrize("epoch", [None, 1])
@pytest.mark.parametrize("report", [complete, fail])
def test_a_cancelled_task_cannot_be_reported(held, agent, report, epoch):
    transitions.cancel(held.pk, by="operator", force=True)

    assert report(held, by=agent, epoch=epoch) == WrongStatus
    assert report(held, epoch=epoch) == WrongStatus


# Several at once, and a claim.


def test_each_outcome_gets_its_own_verdict(agent, other):
    channel = make_channel()
    mine, again, lost = make_tasks(3, channel=channel)
    give(agent, channel), give(agent, channel), give(other, channel)
    complete(again, by=agent)
    outcomes = [Outcome(task.pk, done=True) for task in (lost, mine, again)]

    verdicts, _ = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

    assert [verdict.task_id for verdict in verdicts] == [lost.pk, mine.pk, again.pk]
    assert [verdict.verdict for verdict in verdicts] == [LOST, ACCEPTED, ALREADY]
    assert isinstance(verdicts[0].problem, Conflict)


def test_a_task_named_twice_is_reported_once(held, agent):
    outcomes = [Outcome(held.pk, done=False, reason="a"), Outcome(held.pk, done=False, reason="b")]
    outcomes += [Outcome(held.pk, done=True)]

    verdicts, _ = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

    assert [verdict.verdict for verdict in verdicts] == [ACCEPTED, ALREADY, LOST]
    assert fresh(held).fail_reason == "a"


def test_a_report_may_claim_the_next_step(agent):
    chain = make_chain(tasks=2)
    first = give(agent, chain.channel)
    request = ClaimRequest(agent_id=agent.pk, ids=[chain.channel_id])

    verdicts, tasks = reports.report_in_transaction(
        [Outcome(first.pk, done=True)], agent_id=agent.pk, by="", request=request
    )

    assert [verdict.verdict for verdict in verdicts] == [ACCEPTED]
    assert [task.sequence for task in tasks] == [2]


def test_a_report_with_a_claim_may_be_repeated_by_its_key(agent):
    channel = make_channel()
    make_tasks(3, channel=channel)
    first = give(agent, channel)
    request = ClaimRequest(agent_id=agent.pk, ids=[channel.pk], key="k")
    outcomes = [Outcome(first.pk, done=True)]
    _, tasks = reports.report_in_transaction(outcomes, agent_id=agent.pk, by="", request=request)

    verdicts, again = reports.report_in_transaction(
        outcomes, agent_id=agent.pk, by="", request=request
    )

    assert [verdict.verdict for verdict in verdicts] == [ALREADY]
    assert again == tasks
    assert Task.objects.in_progress().get().pk == tasks[0].id
