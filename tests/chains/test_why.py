"""Why a task does not run: each answer there is, and their order."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent, Protocol
from chains import sessions, transitions
from chains.agent_verbs import AGENT_VERBS
from chains.models import OnFailure
from chains.verbs import CHAIN_VERBS
from chains.why import Code, why
from tasks import queue, reports, requirements
from tasks import transitions as tasks
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.fast_path import Outcome
from tasks.models import Task
from tasks.states import DeadLetter
from tasks.verbs import TASK_VERBS
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    make_tasks,
    silence,
    steps_of,
    tasks_of,
)

pytestmark = pytest.mark.django_db


OFFERED = {
    "agent": {verb.name for verb in AGENT_VERBS},
    "chain": {verb.name for verb in CHAIN_VERBS},
    "channel": {verb.name for verb in CHANNEL_VERBS},
    "task": {verb.name for verb in TASK_VERBS},
}


def answers(task):
    """Why the task does not run. What is offered to put it right must be a verb of the console."""
    found = why(fresh(task))
    for answer in found:
        assert answer.do is None or answer.do.verb in OFFERED[answer.do.kind]
    return found


def codes(task):
    return [answer.code for answer in answers(task)]


def the(code, task):
    """The answer of this code; there must be one."""
    return {answer.code: answer for answer in answers(task)}[code]


def report(task, *, done, **more):
    outcome = Outcome(task.pk, done, **more)
    reports.report_in_transaction([outcome], agent_id=fresh(task).agent_id, by="")


def make_working_channel():
    """A channel for which an agent is present."""
    channel = make_channel()
    make_agent(subscriptions=(channel.name,))
    return channel


def test_a_paused_channel_comes_first_with_its_reason():
    task = make_task(make_working_channel())
    tasks.pause_channel(task.channel_id, by="operator", reason="a migration")

    paused = answers(task)[0]

    assert paused.code == Code.CHANNEL_PAUSED
    assert "a migration" in paused.text
    assert (paused.do.kind, paused.do.id, paused.do.verb) == ("channel", task.channel_id, "resume")


def test_a_channel_paused_without_a_reason_says_so_all_the_same():
    task = make_task(make_working_channel())
    tasks.pause_channel(task.channel_id, by="operator")

    assert codes(task) == [Code.CHANNEL_PAUSED, Code.IN_QUEUE]


def test_what_is_behind_a_locked_task_names_it():
    chain = make_chain(make_working_channel(), tasks=2)
    give(make_agent("agent-1"), chain.channel)
    transitions.detach(chain.pk, owner_id=None, by="operator")
    first, second = steps_of(chain)

    locked = answers(second)[0]

    assert locked.code == Code.CHAIN_LOCKED
    assert locked.data["blocking_task_id"] == first.pk
    assert "task 1" in locked.text
    assert codes(second) == [Code.CHAIN_LOCKED]


def test_a_locked_task_says_who_lost_it():
    chain = make_chain(tasks=1)
    give(make_agent("agent-1"), chain.channel)
    transitions.detach(chain.pk, owner_id=None, by="operator", reason="wrong branch")

    (locked,) = answers(steps_of(chain)[0])

    assert locked.code == Code.LOCKED
    assert "agent-1" in locked.text
    assert "wrong branch" in locked.text
    assert locked.do.verb == "unlock_to_queued"


@pytest.fixture
def owned():
    """A chain whose owner, agent-1, has done its first task; the next has the turn."""
    chain = make_chain(tasks=2)
    report(give(make_agent("agent-1"), chain.channel), done=True)
    return chain


def test_a_chain_owned_by_an_agent_that_is_present(owned):
    (answer,) = answers(steps_of(owned)[1])

    assert answer.code == Code.CHAIN_OWNED
    assert "agent-1, which is online" in answer.text
    assert answer.data["presence"] == "online"
    assert answer.do.verb == "release"


def test_a_chain_owned_by_an_agent_lost_since(owned):
    silence(Agent.objects.get(pk="agent-1"))

    (answer,) = answers(steps_of(owned)[1])

    assert answer.code == Code.CHAIN_OWNED
    assert "has been silent since" in answer.text
    assert answer.data["presence"] == "lost"
    assert answer.do.verb == "detach"


def test_a_chain_owned_by_an_agent_that_is_away_for_a_while(owned):
    silence(Agent.objects.get(pk="agent-1"), timedelta(minutes=1))

    (answer,) = answers(steps_of(owned)[1])

    assert answer.data["presence"] == "offline"


def test_a_chain_owned_by_an_agent_that_is_draining(owned):
    agents.drain("agent-1", by="operator")

    (answer,) = answers(steps_of(owned)[1])

    assert answer.code == Code.CHAIN_OWNED
    assert "draining" in answer.text


def test_what_is_behind_a_running_task_names_it_and_its_agent():
    chain = make_chain(tasks=2)
    running = give(make_agent("agent-1"), chain.channel)
    second = steps_of(chain)[1]

    behind = the(Code.BEHIND, second)

    assert codes(second) == [Code.CHAIN_OWNED, Code.BEHIND]
    assert behind.data["blocking_task_id"] == running.pk
    assert "agent-1" in behind.text


def test_what_is_behind_a_waiting_task_names_the_first_that_waits():
    chain = make_chain(make_working_channel(), tasks=3)
    first, _, third = steps_of(chain)

    (behind,) = answers(third)

    assert behind.code == Code.BEHIND
    assert behind.data["blocking_task_id"] == first.pk


def test_a_chain_that_stopped_names_the_task_that_failed():
    chain = make_chain(make_working_channel(), tasks=3, on_failure=OnFailure.STOP)
    failed = give(make_agent(), chain.channel)
    report(failed, done=False)
    transitions.release(chain.pk, by="operator")

    third = steps_of(chain)[2]
    stopped = answers(third)[0]

    assert codes(third) == [Code.STOPPED, Code.BEHIND]
    assert stopped.data["blocking_task_id"] == failed.pk
    assert (stopped.do.id, stopped.do.verb) == (failed.pk, "requeue")


def test_a_chain_that_continues_is_not_stopped_by_a_failure():
    chain = make_chain(make_working_channel(), tasks=2)
    report(give(make_agent(), chain.channel), done=False)
    transitions.release(chain.pk, by="operator")

    assert codes(steps_of(chain)[1]) == [Code.IN_QUEUE]


def test_a_session_request_is_only_assigned():
    channel = make_channel()
    task = sessions.request_session(channel, by="operator")

    (answer,) = answers(task)

    assert answer.code == Code.SESSION_REQUEST
    assert answer.do.verb == "reassign"


def test_no_agent_works_for_the_channel():
    make_agent(subscriptions=("elsewhere",))
    task = make_task()

    answer = answers(task)[0]

    assert answer.code == Code.NO_AGENTS
    assert answer.data["absent"] == answer.data["draining"] == 0
    assert answer.do is None


def test_all_agents_of_the_channel_are_draining_or_absent():
    channel = make_channel("Work")
    make_agent("agent-1", subscriptions=("work",), draining=True)
    make_agent("agent-2", subscriptions=("WORK", "other"), seen_ago=timedelta(minutes=5))
    task = make_task(channel)

    answer = answers(task)[0]

    assert answer.code == Code.NO_AGENTS
    assert (answer.data["draining"], answer.data["absent"]) == (1, 1)
    assert (answer.do.id, answer.do.verb) == ("agent-1", "resume")


def test_an_agent_that_names_no_channel_works_for_any():
    make_agent()

    assert codes(make_task()) == [Code.IN_QUEUE]


def test_a_jobs_task_waits_for_spots_and_no_others():
    make_agent()
    task = tasks_of(make_job(tasks=1))[0]

    assert codes(task) == [Code.NO_AGENTS, Code.IN_QUEUE]

    make_agent("spot-1", protocol=Protocol.SPOT)
    assert codes(task) == [Code.IN_QUEUE]


def test_a_capability_that_nobody_offers_is_named():
    make_agent("spot-1", protocol=Protocol.SPOT, offers={"gpu": ["none"]})
    task = tasks_of(make_job(tasks=1, wants={"gpu": "a100"}))[0]

    answer = answers(task)[0]

    assert answer.code == Code.NOBODY_OFFERS
    assert "gpu=a100" in answer.text
    assert answer.data["wants"] == {"gpu": "a100"}


def test_all_agents_that_are_present_have_refused_it():
    task = make_held_task(make_agent("agent-1"))
    reports.refuse(task.pk, agent_id="agent-1", epoch=None, reason="no compiler")

    answer = answers(task)[0]

    assert answer.code == Code.NOBODY_OFFERS
    assert answer.data["refused_by"] == ["agent-1"]


def test_a_postponed_task_says_until_when():
    task = make_held_task(retry_delay_seconds=60)
    report(task, done=False, retriable=True)

    answer = answers(task)[0]

    assert codes(task) == [Code.NOT_BEFORE]
    assert answer.data["available_at"] == fresh(task).available_at
    assert f"{fresh(task).available_at:%H:%M:%S}" in answer.text


def test_a_queued_task_knows_its_position():
    channel = make_working_channel()
    first, second, third = make_tasks(3, channel=channel)
    tasks.prioritize(third.pk, 5, by="operator")

    assert the(Code.IN_QUEUE, third).data["place"] == 1
    assert the(Code.IN_QUEUE, third).remedy == ""
    assert the(Code.IN_QUEUE, first).data["place"] == 2
    assert the(Code.IN_QUEUE, second).data["place"] == 3
    assert the(Code.IN_QUEUE, second).do.verb == "prioritize"


def test_chains_and_tasks_that_want_something_stand_in_the_same_line():
    channel = make_working_channel()
    make_task(channel, requirement=requirements.of({"os": "linux"}))
    chain = make_chain(channel, tasks=2)
    last = make_task(channel)
    Task.objects.filter(pk=last.pk).update(queue_at=Now() + timedelta(minutes=1))

    assert the(Code.IN_QUEUE, last).data["place"] == 3
    assert the(Code.IN_QUEUE, steps_of(chain)[0]).data["place"] == 2


def test_a_place_far_behind_is_not_counted_out(monkeypatch):
    monkeypatch.setattr(queue, "FAR", 2)
    channel = make_working_channel()
    last = make_tasks(5, channel=channel)[-1]

    answer = the(Code.IN_QUEUE, last)

    assert (answer.data["place"], answer.data["more"]) == (3, True)
    assert "More than 2" in answer.text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (DeadLetter.EXHAUSTED, "all its 3 attempts failed"),
        (DeadLetter.NOT_RETRIABLE, "failed for good"),
        (DeadLetter.LEASE_EXPIRED, "lease expired"),
        (DeadLetter.AGENTS_LOST, "were lost with it"),
        (DeadLetter.UNSUPPORTED, "have refused it"),
    ],
)
def test_a_dead_letter_says_because_of_what(reason, words):
    task = make_held_task()
    report(task, done=False, reason="disk full")
    Task.objects.filter(pk=task.pk).update(dead_letter=reason, attempts=3)

    (answer,) = answers(task)

    assert answer.code == Code.DEAD_LETTER
    assert words in answer.text
    assert "disk full" in answer.text
    assert answer.do.verb == "requeue"


def test_a_running_task_says_with_whom_and_until_when():
    channel = make_channel()
    make_task(channel)
    task = give(make_agent("agent-1"), channel, lease_seconds=60)

    (answer,) = answers(task)

    assert answer.code == Code.RUNNING
    assert "agent-1" in answer.text
    assert answer.data["lease_expires_at"] == fresh(task).lease_expires_at
    assert answer.do is None


def test_a_running_task_of_an_agent_not_heard_of_can_be_had_back():
    task = make_held_task(make_agent("agent-1"))
    silence(Agent.objects.get(pk="agent-1"))

    (answer,) = answers(task)

    assert (answer.do.id, answer.do.verb) == ("agent-1", "reset")


def test_a_task_asked_to_stop_says_so_before_who_runs_it():
    task = make_held_task()
    tasks.cancel(task.pk, by="operator")

    assert codes(task) == [Code.CANCEL_ASKED, Code.RUNNING]


def test_a_done_and_a_cancelled_task_say_when():
    done = make_held_task()
    report(done, done=True)
    cancelled = make_task()
    tasks.cancel(cancelled.pk, by="operator")

    assert codes(done) == [Code.DONE]
    assert codes(cancelled) == [Code.CANCELLED]


def test_several_reasons_come_in_the_order_in_which_to_put_them_right():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    tasks.pause_channel(chain.channel_id, by="operator", reason="night")

    assert codes(steps_of(chain)[1]) == [Code.CHANNEL_PAUSED, Code.BEHIND, Code.NO_AGENTS]
