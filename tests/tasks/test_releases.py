"""Giving a task back undone, and processes that use the id of an agent one after another."""

import pytest
from django.db.models import F

from agents import transitions as agents
from agents.exceptions import AgentReplaced
from agents.models import Agent
from events.models import Event
from tasks import reports, transitions
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus
from tasks.models import Attempt, Task
from tasks.releases import recognize, release
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_chain,
    make_held_task,
    make_task,
    silence,
    steps_of,
)
from tests.tasks.reporting import complete, fail
from tests.tasks.verbs import expire, last_event, lose, refuses

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(agent):
    return make_held_task(agent)


# Giving back.


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_released_task_is_free_for_others_at_no_cost(held, agent, other, epoch):
    Task.objects.update(losses=2, attempts=1, retry_delay_seconds=60)

    released = release(held.pk, agent_id=agent.pk, epoch=epoch, reason="no time")

    assert (released.status, released.agent, released.postponed) == (Status.QUEUED, None, False)
    assert (released.losses, released.attempts) == (2, 1)
    assert last_event(held) == ("task.retried", "agent:first", "no time")
    assert Attempt.objects.values_list("outcome", "agent_id", "reason").get() == (
        "released",
        "first",
        "no time",
    )
    assert give(other, held.channel) == held


@pytest.mark.parametrize("epoch", [None, 1])
def test_a_release_may_be_repeated(held, agent, epoch):
    release(held.pk, agent_id=agent.pk, epoch=epoch)
    before = Task.objects.values().get(pk=held.pk)

    release(held.pk, agent_id=agent.pk, epoch=epoch)

    assert Task.objects.values().get(pk=held.pk) == before
    assert Attempt.objects.count() == 1


def test_a_release_may_be_repeated_after_another_agent_claimed_the_task(held, agent, other):
    release(held.pk, agent_id=agent.pk, epoch=1)
    give(other, held.channel)

    assert release(held.pk, agent_id=agent.pk, epoch=1).agent == other
    assert refuses(NotHolder, release, held, agent_id=agent.pk)


@pytest.mark.parametrize("epoch", [None, 1])
def test_what_was_given_back_takes_no_report_of_that_lease(held, agent, epoch):
    release(held.pk, agent_id=agent.pk)

    assert complete(held, by=agent, epoch=epoch, result=7) == WrongStatus
    assert fail(held, by=agent, epoch=epoch) == WrongStatus


def test_only_the_holder_may_release_a_task_by_its_epoch(held, agent, other):
    assert refuses(NotHolder, release, held, agent_id=other.pk)
    assert refuses(LeaseLost, release, held, agent_id=agent.pk, epoch=2)
    assert refuses(NotHolder, release, make_task(), agent_id=agent.pk)
    with pytest.raises(TaskUnknown):
        release(Task(title="t").pk, agent_id=agent.pk)


def test_a_task_that_ended_is_not_released(held, agent):
    complete(held, by=agent)

    assert refuses(NotHolder, release, held, agent_id=agent.pk)


def test_a_task_that_was_asked_to_stop_is_cancelled_when_it_is_released(held, agent):
    transitions.cancel(held.pk, by="operator")

    assert release(held.pk, agent_id=agent.pk).status == Status.CANCELLED


def test_a_step_has_its_turn_again_for_the_owner_of_its_chain(agent):
    chain = make_chain(tasks=2)
    step = give(agent, chain.channel)

    release(step.pk, agent_id=agent.pk, epoch=1)

    first, second = steps_of(chain)
    assert (first.status, first.blocked, first.reserved_for) == (Status.QUEUED, False, agent)
    assert (second.blocked, fresh(chain).owner) == (True, agent)
    assert give(agent, chain.channel) == step


def test_a_release_renews_presence(held, agent):
    silence(agent)

    release(held.pk, agent_id=agent.pk)

    assert Agent.objects.online().filter(pk=agent.pk).exists()


# Processes of one id.


def told(agent_id="first"):
    found = Event.objects.about_agent(agent_id).filter(type__startswith="agent.")
    return [event.type for event in found.order_by("id")]


def test_a_new_process_frees_at_once_what_the_one_before_it_held(agent):
    recognize("first", "a")
    alone, step = make_held_task(agent), give(agent, make_chain(tasks=1).channel)

    recognize("first", "b")

    assert fresh(alone).status == Status.QUEUED
    assert (fresh(alone).losses, fresh(alone).attempts) == (0, 0)
    assert fresh(step).status == Status.LOCKED
    assert told() == ["agent.restarted"]
    assert Event.objects.get(type="agent.restarted").payload == {"from": "a", "to": "b"}


def test_the_first_process_that_says_its_name_keeps_what_the_agent_holds(held):
    recognize("first", "a")
    recognize("first", "a")
    recognize("first", "")

    assert fresh(held).status == Status.IN_PROGRESS
    assert told() == []


def test_a_process_registers_an_agent():
    recognize("new", "a")

    assert Agent.objects.get(pk="new").incarnation == "a"


def test_a_process_that_was_replaced_is_told_so_and_changes_nothing(agent):
    recognize("first", "a")
    recognize("first", "b")
    held = make_held_task(agent)
    silence(agent)
    before = Agent.objects.values("last_seen_at", "incarnation").get(pk="first")

    for _ in range(3):
        with pytest.raises(AgentReplaced):
            recognize("first", "a")

    assert Agent.objects.values("last_seen_at", "incarnation").get(pk="first") == before
    assert fresh(held).status == Status.IN_PROGRESS
    assert told() == ["agent.restarted", "agent.was_doubled"]
    recognize("first", "b")


def test_it_is_told_again_after_a_while_that_two_processes_live(agent):
    recognize("first", "a")
    recognize("first", "b")
    for _ in range(2):
        with pytest.raises(AgentReplaced):
            recognize("first", "a")
        Agent.objects.update(doubled_at=F("doubled_at") - agents.ANNOUNCE_AGAIN_AFTER)

    assert told().count("agent.was_doubled") == 2


def test_the_processes_that_are_remembered_are_bounded(agent):
    for number in range(agents.PAST + 5):
        recognize("first", f"p{number}")

    past = fresh(agent).past_incarnations
    assert (len(past), past[-1]) == (agents.PAST, f"p{agents.PAST + 3}")


def test_a_lost_result_is_never_answered_as_taken(held, agent, other):
    """Whatever took the task away, a completion is accepted or lost with a reason."""
    ends = [
        lambda: expire(held),
        lambda: lose(agent),
        lambda: recognize_anew(agent),
        lambda: release(held.pk, agent_id=agent.pk),
        lambda: fail(held, by=agent),
        lambda: complete(held, result=1),
        lambda: reports.refuse(held.pk, agent_id=agent.pk),
        lambda: transitions.cancel(held.pk, by="operator", force=True),
    ]
    for end in ends:
        Task.objects.filter(pk=held.pk).delete()
        held = make_held_task(agent)
        end()
        verdict = complete(held, by=agent, epoch=1, result={"value": 1})

        kept = fresh(held).result == {"value": 1}
        assert (verdict == "accepted") == kept, end
        assert kept or verdict == WrongStatus, end


def recognize_anew(agent):
    recognize(agent.pk, "a")
    recognize(agent.pk, "b")
