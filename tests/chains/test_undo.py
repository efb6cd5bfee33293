"""What operators take back: a cancellation, a task from its agent, a place in a channel."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from accounts.callers import LOCAL
from agents.models import Agent
from chains import resets
from chains.task_verbs import PUT_BACK
from console.verbs import carry_out
from events.models import Event
from jobs import tally
from jobs import transitions as jobs
from jobs.exceptions import JobCancelled, JobOver
from problems import Problem
from tasks import agent_views, claims, moves, reports, tallies, transitions
from tasks.exceptions import NotHolder, NotMovable, TooLate, WrongStatus
from tasks.leases import renew
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tasks.serializers import HeartbeatRequestSerializer
from tests.factories import (
    counted,
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    recounted,
    steps_of,
    sweeps,
    take,
    tasks_of,
)
from tests.tasks.reporting import complete, fail
from tests.tasks.verbs import last_event

pytestmark = pytest.mark.django_db


def restore(task):
    return moves.restore(task.pk, by="operator", reason="a slip")


def cancelled(task, **how):
    return transitions.cancel(task.pk, by="operator", **how)


def test_a_cancelled_task_waits_again_at_its_place():
    channel = make_channel()
    first, _ = make_task(channel, priority=2), make_task(channel)
    cancelled(first)

    restored = restore(first)

    assert restored.status == "queued"
    assert (restored.finished_at, restored.agent_id, restored.free) == (None, None, True)
    assert restored.queue_at == first.queue_at
    assert last_event(first) == ("task.restored", "operator", "a slip")
    assert give(make_agent(), channel) == first


def test_a_task_waits_for_its_time_as_before():
    later = make_task(available_at=Now() + timedelta(hours=1))
    cancelled(later)

    assert restore(later).postponed
    assert fresh(later).available_at == later.available_at
    assert not take(make_agent(), later.channel)


def test_a_late_report_counts_as_before_the_cancellation():
    task = make_held_task()
    agent = task.agent_id
    resets.reset_task(task.pk, by="operator", reason="x")
    cancelled(task)
    restore(task)

    verdict = reports.report_one(Outcome(task.pk, True, 7, epoch=1), agent_id=agent, by="")

    assert verdict.problem is None
    assert fresh(task).status == "done"


@pytest.mark.parametrize("status", ["queued", "in_progress", "done", "failed"])
def test_only_a_cancelled_task_is_restored(status):
    task = make_task() if status == "queued" else make_held_task()
    {"done": complete, "failed": fail}.get(status, lambda task: None)(task)

    with pytest.raises(WrongStatus):
        restore(task)

    assert fresh(task).status == status


def test_what_an_agent_had_when_it_was_cancelled_stays_cancelled():
    taken, asked = make_held_task(), make_held_task()
    cancelled(taken, force=True)
    cancelled(asked)
    fail(asked)

    for task in (taken, asked):
        with pytest.raises(TooLate):
            restore(task)
        assert fresh(task).status == "cancelled"


def test_in_a_chain_it_has_its_turn_again_until_a_task_behind_it_has_begun():
    chain = make_chain(tasks=3)
    first, second, _ = steps_of(chain)
    cancelled(first)
    assert [step.blocked for step in steps_of(chain)] == [False, False, True]

    restore(first)

    assert [step.blocked for step in steps_of(chain)] == [False, True, True]
    assert give(make_agent(), chain.channel) == first
    complete(first)
    cancelled(second)
    owner = Agent.objects.get(pk=fresh(chain).owner_id)
    third = give(owner, chain.channel)
    for end in (lambda: None, lambda: complete(third)):
        end()
        with pytest.raises(TooLate):
            restore(second)


def test_a_chain_that_had_ended_goes_on():
    chain = make_chain(tasks=1)
    [task] = steps_of(chain)
    cancelled(task)
    assert fresh(chain).status == "done"

    restore(task)

    assert (fresh(chain).status, fresh(task).blocked) == ("queued", False)


def test_a_job_counts_a_restored_task_and_one_that_has_ended_stays_so():
    job = make_job(tasks=2)
    first, second = tasks_of(job)
    cancelled(first)
    restore(first)
    assert counted(job) == recounted(job) == (2, 0, 0, 0)
    tally.fold()
    assert counted(job) == (2, 0, 0, 0)

    cancelled(first)
    complete(give(make_agent(), sweeps()))
    with pytest.raises(JobOver):
        restore(first)
    stopped = make_job(tasks=1)
    jobs.cancel(stopped.pk, by="operator")
    with pytest.raises(JobCancelled):
        restore(tasks_of(stopped)[0])
    assert fresh(second).status == "done"
    assert counted(job) == recounted(job) == (2, 1, 0, 1)


def beat(agent, task):
    """What the answer to a heartbeat says of a task that the agent lists."""
    body = {"agent_id": agent, "tasks": [{"id": str(task.pk), "lease_epoch": task.lease_epoch}]}
    return agent_views.beat(HeartbeatRequestSerializer.read(body))[1]


def put_back(task):
    return carry_out(PUT_BACK, Task.objects.filter(pk=task.pk), LOCAL, "it hangs", {})


def test_an_agent_is_told_that_its_task_was_put_back():
    task = make_held_task()

    assert put_back(task).done == [task.pk]

    assert (fresh(task).status, fresh(task).attempts) == ("queued", 0)
    told = beat(task.agent_id, task)
    assert (told["renewed"], told["lost"]) == ([], [task.pk])
    with pytest.raises(NotHolder):
        renew(task.pk, agent_id=task.agent_id, epoch=1)
    other = give(make_agent(), task.channel)
    assert (other.pk, other.lease_epoch) == (task.pk, 2)
    late = reports.report_one(Outcome(task.pk, True, 7, epoch=1), agent_id=task.agent_id, by="")
    assert late.problem.code == "lease_lost"


def test_a_task_of_a_chain_is_put_back_with_its_chain_which_anybody_may_have():
    chain = make_chain(tasks=2)
    task = give(make_agent(), chain.channel)

    put_back(task)

    assert (fresh(task).status, fresh(task).blocked) == ("queued", False)
    assert fresh(chain).owner_id is None
    assert give(make_agent(), chain.channel) == task


def test_one_that_is_asked_to_stop_is_not_put_back():
    task = make_held_task()
    cancelled(task)

    [(_, problem)] = put_back(task).refused

    assert "asked to stop" in problem.message
    assert fresh(task).status == "in_progress"


def test_a_task_moves_to_another_channel_whose_agents_may_have_it():
    task, channel = make_task(), make_channel()
    old = task.channel

    moves.move(task.pk, channel.pk, by="operator", reason="wrong queue")

    assert fresh(task).channel == channel
    assert last_event(task) == ("task.moved", "operator", "wrong queue")
    assert [event.channel_id for event in Event.objects.filter(type="task.moved")][-2:] in (
        [old.pk, channel.pk],
        [channel.pk, old.pk],
    )
    assert not take(make_agent(), old)
    assert give(make_agent(), channel) == task


def test_what_is_counted_by_channel_follows_a_move():
    task, channel = make_task(), make_channel()
    moves.move(task.pk, channel.pk, by="operator")

    by_channel = tallies.by_channel_and_status(tallies.read())

    assert by_channel.get((channel.pk, "queued")) == 1
    assert not by_channel.get((task.channel_id, "queued"))
    assert tallies.by_status()["queued"] == 1
    assert not tallies.drift()


def refused_moves():
    with_key = make_task(idempotency_key="a key")
    yield make_held_task(), make_channel(), WrongStatus
    yield steps_of(make_chain(tasks=1))[0], make_channel(), NotMovable
    yield tasks_of(make_job(tasks=1))[0], make_channel(), NotMovable
    yield make_task(), sweeps(), NotMovable
    yield make_task(idempotency_key="a key"), with_key.channel, NotMovable


def test_a_task_that_belongs_elsewhere_is_not_moved():
    for task, channel, problem in refused_moves():
        with pytest.raises(problem):
            moves.move(task.pk, channel.pk, by="operator")
        assert fresh(task).channel_id == task.channel_id


def test_a_move_to_where_it_is_changes_nothing():
    task = make_task()
    before = Event.objects.count()

    moves.move(task.pk, task.channel_id, by="operator")

    assert Event.objects.count() == before


def test_an_operators_claim_does_not_renew_the_agent_and_obeys_what_a_claim_does():
    task = make_task()
    agent = make_agent(seen_ago=timedelta(minutes=1))
    request = ClaimRequest(agent.pk, ids=[task.channel_id])

    given = claims.claim_for(request, by="operator", reason="it is next")

    assert given.id == task.pk
    assert fresh(agent).last_seen_at == agent.last_seen_at
    assert last_event(task) == ("task.claimed", "operator", "it is next")
    with pytest.raises(Problem, match="ready"):
        claims.claim_for(request, by="operator")
    drained = make_agent(draining=True)
    make_task(task.channel)
    with pytest.raises(Problem, match="draining"):
        claims.claim_for(ClaimRequest(drained.pk, ids=[task.channel_id]), by="operator")
