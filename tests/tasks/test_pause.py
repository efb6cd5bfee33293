"""A paused channel gives no tasks to claims, by either path; tasks in progress go on."""

import pytest

from agents.models import Protocol
from events.models import Event
from tasks import claims, reports, requirements, transitions, waiting
from tasks.exceptions import ChannelUnknown
from tasks.rows import ClaimRequest, Outcome
from tasks.states import Status
from tests.api_v1.calls import UNKNOWN
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    take,
)
from tests.tasks.paths import both_paths
from tests.tasks.reporting import complete

pytestmark = pytest.mark.django_db


@pytest.fixture
def paused():
    """A paused channel with a task in it."""
    channel = make_channel()
    make_task(channel)
    return pause(channel)


def pause(channel, reason="a migration"):
    return transitions.pause_channel(channel.pk, by="operator", reason=reason)


def resume(channel):
    return transitions.resume_channel(channel.pk, by="operator", reason="it is over")


@both_paths
def test_a_claim_gets_nothing_from_a_paused_channel(paused, claim):
    make_task(paused, requirement=requirements.of({"gpu": "a100"}))

    assert claim("agent-1", paused) == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"max_tasks": 5}, {"key": "once"}, {"protocol": Protocol.SPOT}],
    ids=["one", "several", "key", "spot"],
)
def test_a_claim_of_any_kind_gets_nothing_until_the_channel_is_resumed(paused, fields):
    assert not claims.claim(ClaimRequest("agent-1", ids=[paused.pk], **fields))
    assert not claims.claim(ClaimRequest("agent-1", names=[paused.name], **fields))

    resume(paused)

    assert claims.claim(ClaimRequest("agent-1", ids=[paused.pk], **fields))


def test_a_claim_gets_no_chains_task_from_a_paused_channel():
    chain = make_chain(tasks=1)
    pause(chain.channel)

    assert not claims.claim(ClaimRequest("agent-1", ids=[chain.channel_id]))


def test_the_owner_of_a_chain_gets_nothing_from_a_paused_channel():
    agent = make_agent()
    chain = make_chain(tasks=2)
    first = give(agent, chain.channel)
    complete(first, by=agent)
    pause(chain.channel)

    assert not claims.claim(ClaimRequest(agent.pk, ids=[chain.channel_id]))


def test_a_claim_from_several_channels_skips_the_paused_one(paused):
    other = make_task()

    tasks = take(make_agent(), paused, other.channel, max_tasks=5)

    assert tasks == [other]


def test_a_task_in_progress_of_a_paused_channel_may_be_reported():
    agent = make_agent()
    task = make_held_task(agent)
    make_task(task.channel)
    pause(task.channel)

    fields = ClaimRequest(agent.pk, ids=[task.channel_id])
    _, tasks = reports.report(agent.pk, [Outcome(task.pk, True)], fields)

    assert fresh(task).status == Status.DONE
    assert not tasks


def test_an_operator_may_assign_a_task_of_a_paused_channel(paused):
    task = paused.tasks.get()

    assert transitions.assign(task.pk, "agent-1", by="operator").status == Status.IN_PROGRESS


def test_no_waiting_claim_is_woken_for_a_paused_channel(paused):
    chain = make_chain(tasks=2)
    agent = make_agent()
    complete(give(agent, chain.channel), by=agent)
    pause(chain.channel)

    found = waiting.ready_tasks([paused.pk, chain.channel_id], [agent.pk])

    assert not any(found.free.values())
    assert found.kept_for == frozenset()


def test_pausing_and_resuming_write_events_with_actor_and_reason(paused):
    resume(paused)

    events = Event.objects.filter(channel_id=paused.pk, type__startswith="channel.").order_by("id")
    assert [(event.type, event.actor, event.reason) for event in events][1:] == [
        ("channel.paused", "operator", "a migration"),
        ("channel.resumed", "operator", "it is over"),
    ]


def test_pausing_again_changes_only_the_reason(paused):
    again = pause(paused, "a longer migration")

    assert again.paused_at == paused.paused_at
    assert again.pause_reason == "a longer migration"
    assert Event.objects.filter(type="channel.paused").count() == 1


def test_resuming_clears_the_reason(paused):
    channel = resume(paused)

    assert (channel.paused_at, channel.pause_reason) == (None, "")


@pytest.mark.parametrize("verb", [transitions.pause_channel, transitions.resume_channel])
def test_an_unknown_channel_is_refused(verb):
    with pytest.raises(ChannelUnknown):
        verb(UNKNOWN, by="operator", reason="r")
