"""Why a task does not run: every reason, and their order."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

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
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db


OFFERED = {
    "agent": {verb.name for verb in AGENT_VERBS},
    "chain": {verb.name for verb in CHAIN_VERBS},
    "channel": {verb.name for verb in CHANNEL_VERBS},
    "task": {verb.name for verb in TASK_VERBS},
}


def reasons_of(task):
    """Why the task does not run. Each remedy must be a verb of the console."""
    found = why(fresh(task))
    for reason in found:
        assert reason.do is None or reason.do.verb in OFFERED[reason.do.kind]
    return found


def codes(task):
    return [reason.code for reason in reasons_of(task)]


def the(code, task):
    """The reason with this code; there must be one."""
    return {reason.code: reason for reason in reasons_of(task)}[code]


def make_working_channel():
    """A channel for which an agent is present."""
    channel = make_channel()
    make_agent(subscriptions=(channel.name,))
    return channel


def test_a_paused_channel_comes_first_with_its_reason():
    task = make_task(make_working_channel())
    tasks.pause_channel(task.channel_id, by="operator", reason="a migration")

    paused = reasons_of(task)[0]

    assert paused.code == Code.CHANNEL_PAUSED
    assert "a migration" in paused.text
    assert (paused.do.kind, paused.do.id, paused.do.verb) == ("channel", task.channel_id, "resume")


def test_a_channel_may_be_paused_without_a_reason():
    task = make_task(make_working_channel())
    tasks.pause_channel(task.channel_id, by="operator")

    assert codes(task) == [Code.CHANNEL_PAUSED, Code.IN_QUEUE]


def test_a_task_behind_a_locked_one_names_it():
    chain = make_chain(make_working_channel(), tasks=2)
    give(make_agent("agent-1"), chain.channel)
    transitions.detach(chain.pk, owner_id=None, by="operator")
    first, second = steps_of(chain)

    locked = reasons_of(second)[0]

    assert locked.code == Code.CHAIN_LOCKED
    assert locked.data["blocking_task_id"] == first.pk
    assert "task 1" in locked.text
    assert codes(second) == [Code.CHAIN_LOCKED]


def test_a_locked_task_names_its_last_holder():
    chain = make_chain(tasks=1)
    give(make_agent("agent-1"), chain.channel)
    transitions.detach(chain.pk, owner_id=None, by="operator", reason="wrong branch")

    (locked,) = reasons_of(steps_of(chain)[0])

    assert locked.code == Code.LOCKED
    assert "agent-1" in locked.text
    assert "wrong branch" in locked.text
    assert locked.do.verb == "unlock_to_queued"


@pytest.fixture
def owned():
    """A chain whose owner, agent-1, has done its first task; the next has the turn."""
    chain = make_chain(tasks=2)
    complete(give(make_agent("agent-1"), chain.channel))
    return chain


def test_the_owner_of_the_chain_is_online(owned):
    (reason,) = reasons_of(steps_of(owned)[1])

    assert reason.code == Code.CHAIN_OWNED
    assert "agent-1, which is online" in reason.text
    assert reason.data["presence"] == "online"
    assert reason.do.verb == "release"


def test_a_chain_whose_task_runs_cannot_be_released_so_detach_is_offered():
    chain = make_chain(tasks=3)
    give(make_agent("agent-1"), chain.channel)

    owned = next(r for r in reasons_of(steps_of(chain)[2]) if r.code == Code.CHAIN_OWNED)

    assert owned.do.verb == "detach"
    assert "detach" in owned.remedy


def test_the_owner_of_the_chain_is_lost(owned):
    silence(Agent.objects.get(pk="agent-1"))

    (reason,) = reasons_of(steps_of(owned)[1])

    assert reason.code == Code.CHAIN_OWNED
    assert "has been silent since" in reason.text
    assert reason.data["presence"] == "lost"
    assert reason.do.verb == "detach"


def test_the_owner_of_the_chain_is_offline(owned):
    silence(Agent.objects.get(pk="agent-1"), timedelta(minutes=1))

    (reason,) = reasons_of(steps_of(owned)[1])

    assert reason.data["presence"] == "offline"


def test_the_owner_of_the_chain_is_draining(owned):
    agents.drain("agent-1", by="operator")

    (reason,) = reasons_of(steps_of(owned)[1])

    assert reason.code == Code.CHAIN_OWNED
    assert "draining" in reason.text


def test_a_task_behind_a_running_one_names_it_and_its_agent():
    chain = make_chain(tasks=2)
    running = give(make_agent("agent-1"), chain.channel)
    second = steps_of(chain)[1]

    behind = the(Code.BEHIND, second)

    assert codes(second) == [Code.CHAIN_OWNED, Code.BEHIND]
    assert behind.data["blocking_task_id"] == running.pk
    assert "agent-1" in behind.text


def test_a_task_behind_waiting_ones_names_the_first():
    chain = make_chain(make_working_channel(), tasks=3)
    first, _, third = steps_of(chain)

    (behind,) = reasons_of(third)

    assert behind.code == Code.BEHIND
    assert behind.data["blocking_task_id"] == first.pk


def test_a_stopped_chain_names_the_failed_task():
    chain = make_chain(make_working_channel(), tasks=3, on_failure=OnFailure.STOP)
    failed = give(make_agent(), chain.channel)
    fail(failed)
    transitions.release(chain.pk, by="operator")

    third = steps_of(chain)[2]
    stopped = reasons_of(third)[0]

    assert codes(third) == [Code.STOPPED, Code.BEHIND]
    assert stopped.data["blocking_task_id"] == failed.pk
    assert (stopped.do.id, stopped.do.verb) == (failed.pk, "requeue")


def test_a_chain_that_continues_is_not_stopped_by_a_failure():
    chain = make_chain(make_working_channel(), tasks=2)
    fail(give(make_agent(), chain.channel))
    transitions.release(chain.pk, by="operator")

    assert codes(steps_of(chain)[1]) == [Code.IN_QUEUE]


def test_a_session_request_must_be_assigned():
    channel = make_channel()
    task = sessions.request_session(channel, by="operator")

    (reason,) = reasons_of(task)

    assert reason.code == Code.SESSION_REQUEST
    assert reason.do.verb == "reassign"


def test_no_agent_is_subscribed_to_the_channel():
    make_agent(subscriptions=("elsewhere",))
    task = make_task()

    reason = reasons_of(task)[0]

    assert reason.code == Code.NO_AGENTS
    assert reason.data["absent"] == reason.data["draining"] == 0
    assert reason.do is None


def test_all_agents_of_the_channel_are_draining_or_offline():
    channel = make_channel("Work")
    make_agent("agent-1", subscriptions=("work",), draining=True)
    make_agent("agent-2", subscriptions=("WORK", "other"), seen_ago=timedelta(minutes=5))
    task = make_task(channel)

    reason = reasons_of(task)[0]

    assert reason.code == Code.NO_AGENTS
    assert (reason.data["draining"], reason.data["absent"]) == (1, 1)
    assert (reason.do.id, reason.do.verb) == ("agent-1", "resume")


def test_an_agent_without_subscriptions_works_for_any_channel():
    make_agent()

    assert codes(make_task()) == [Code.IN_QUEUE]


def test_only_spots_work_on_the_task_of_a_job():
    make_agent()
    task = tasks_of(make_job(tasks=1))[0]

    assert codes(task) == [Code.NO_AGENTS, Code.IN_QUEUE]

    make_agent("spot-1", protocol=Protocol.SPOT)
    assert codes(task) == [Code.IN_QUEUE]


def test_an_ability_that_no_agent_offers_is_named():
    make_agent("spot-1", protocol=Protocol.SPOT, offers={"gpu": ["none"]})
    task = tasks_of(make_job(tasks=1, wants={"gpu": "a100"}))[0]

    reason = reasons_of(task)[0]

    assert reason.code == Code.NOBODY_OFFERS
    assert "gpu=a100" in reason.text
    assert reason.data["wants"] == {"gpu": "a100"}


def test_all_online_agents_have_refused_the_task():
    task = make_held_task(make_agent("agent-1"))
    reports.refuse(task.pk, agent_id="agent-1", epoch=None, reason="no compiler")

    reason = reasons_of(task)[0]

    assert reason.code == Code.NOBODY_OFFERS
    assert reason.data["refused_by"] == ["agent-1"]


def test_a_postponed_task_names_the_time_until_which():
    task = make_held_task(retry_delay_seconds=60)
    fail(task, retriable=True)

    reason = reasons_of(task)[0]

    assert codes(task) == [Code.NOT_BEFORE]
    assert reason.data["available_at"] == fresh(task).available_at
    assert f"{fresh(task).available_at:%H:%M:%S}" in reason.text


def test_a_queued_task_has_its_position():
    channel = make_working_channel()
    first, second, third = make_tasks(3, channel=channel)
    tasks.prioritize(third.pk, 5, by="operator")

    assert the(Code.IN_QUEUE, third).data["position"] == 1
    assert the(Code.IN_QUEUE, third).remedy == ""
    assert the(Code.IN_QUEUE, first).data["position"] == 2
    assert the(Code.IN_QUEUE, second).data["position"] == 3
    assert the(Code.IN_QUEUE, second).do.verb == "prioritize"


def test_chains_and_tasks_with_requirements_are_in_one_queue():
    channel = make_working_channel()
    make_task(channel, requirement=requirements.of({"os": "linux"}))
    chain = make_chain(channel, tasks=2)
    last = make_task(channel)
    Task.objects.filter(pk=last.pk).update(queue_at=Now() + timedelta(minutes=1))

    assert the(Code.IN_QUEUE, last).data["position"] == 3
    assert the(Code.IN_QUEUE, steps_of(chain)[0]).data["position"] == 2


def test_a_position_far_behind_is_not_counted(monkeypatch):
    monkeypatch.setattr(queue, "FAR", 2)
    channel = make_working_channel()
    last = make_tasks(5, channel=channel)[-1]

    reason = the(Code.IN_QUEUE, last)

    assert (reason.data["position"], reason.data["more"]) == (3, True)
    assert "More than 2" in reason.text


@pytest.mark.parametrize(
    ("dead_letter", "words"),
    [
        (DeadLetter.EXHAUSTED, "all its 3 attempts failed"),
        (DeadLetter.NOT_RETRIABLE, "failed for good"),
        (DeadLetter.LEASE_EXPIRED, "lease expired"),
        (DeadLetter.AGENTS_LOST, "were lost with it"),
        (DeadLetter.UNSUPPORTED, "have refused it"),
    ],
)
def test_a_dead_letter_has_its_reason(dead_letter, words):
    task = make_held_task()
    fail(task, reason="disk full")
    Task.objects.filter(pk=task.pk).update(dead_letter=dead_letter, attempts=3)

    (reason,) = reasons_of(task)

    assert reason.code == Code.DEAD_LETTER
    assert words in reason.text
    assert "disk full" in reason.text
    assert reason.do.verb == "requeue"


def test_a_running_task_names_its_agent_and_the_end_of_its_lease():
    channel = make_channel()
    make_task(channel)
    task = give(make_agent("agent-1"), channel, lease_seconds=60)

    (reason,) = reasons_of(task)

    assert reason.code == Code.RUNNING
    assert "agent-1" in reason.text
    assert reason.data["lease_expires_at"] == fresh(task).lease_expires_at
    assert reason.do is None


def test_the_agent_of_a_running_task_that_is_silent_can_be_reset():
    task = make_held_task(make_agent("agent-1"))
    silence(Agent.objects.get(pk="agent-1"))

    (reason,) = reasons_of(task)

    assert (reason.do.id, reason.do.verb) == ("agent-1", "reset")


def test_a_task_that_was_asked_to_stop_names_that_before_its_agent():
    task = make_held_task()
    tasks.cancel(task.pk, by="operator")

    assert codes(task) == [Code.CANCEL_ASKED, Code.RUNNING]


def test_a_done_and_a_cancelled_task_have_one_reason():
    done = make_held_task()
    complete(done)
    cancelled = make_task()
    tasks.cancel(cancelled.pk, by="operator")

    assert codes(done) == [Code.DONE]
    assert codes(cancelled) == [Code.CANCELLED]


def test_several_reasons_come_in_the_order_in_which_to_remove_them():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    tasks.pause_channel(chain.channel_id, by="operator", reason="night")

    assert codes(steps_of(chain)[1]) == [Code.CHANNEL_PAUSED, Code.BEHIND, Code.NO_AGENTS]


def test_a_sentence_has_its_time_in_the_zone_of_the_reader(client):
    task = make_task()
    at = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
    Task.objects.filter(pk=task.pk).update(available_at=at, postponed=True)

    def said():
        reasons = client.get(f"/v1/tasks/{task.pk}/why").json()["why"]
        return next(one["text"] for one in reasons if one["code"] == "not_before")

    assert said() == "It is postponed until 2031-05-06 12:00:00 UTC."
    client.cookies["timezone"] = "Asia/Seoul"
    assert said() == "It is postponed until 2031-05-06 21:00:00 +09:00."
    assert timezone.get_current_timezone_name() == "UTC"
