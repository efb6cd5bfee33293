"""Draining and resuming an agent."""

from datetime import timedelta

import pytest

from agents import transitions
from agents.exceptions import AgentUnknown
from events.models import Event
from tests.factories import fresh, make_agent

pytestmark = pytest.mark.django_db


def test_draining_and_resuming_are_events_with_person_and_reason():
    make_agent("agent-1")

    assert transitions.drain("agent-1", by="operator", reason="an update").draining
    assert not transitions.resume("agent-1", by="operator", reason="updated").draining

    events = Event.objects.filter(agent_id="agent-1").order_by("id")
    assert [(event.type, event.actor, event.reason) for event in events] == [
        ("agent.drained", "operator", "an update"),
        ("agent.resumed", "operator", "updated"),
    ]


@pytest.mark.parametrize("verb", [transitions.drain, transitions.resume])
def test_a_repeat_changes_nothing(verb):
    make_agent("agent-1")
    first = verb("agent-1", by="operator")
    before = Event.objects.count()

    again = verb("agent-1", by="operator")

    assert (again.draining, again.updated_at) == (first.draining, first.updated_at)
    assert Event.objects.count() == before


def test_a_person_who_drains_an_agent_does_not_renew_its_presence():
    agent = make_agent("agent-1", seen_ago=timedelta(minutes=5))

    drained = transitions.drain("agent-1", by="operator")

    assert not drained.online
    assert fresh(agent).last_seen_at == agent.last_seen_at


@pytest.mark.parametrize("verb", [transitions.drain, transitions.resume])
def test_an_unknown_agent_is_refused(verb):
    with pytest.raises(AgentUnknown):
        verb("agent-1", by="operator")
