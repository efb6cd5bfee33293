from datetime import timedelta

import pytest
from django.conf import settings

from agents import transitions
from agents.exceptions import AgentUnknown
from agents.models import Agent, Notification
from agents.transitions import Beat
from events.models import Event
from tests.factories import make_agent, silence

pytestmark = pytest.mark.django_db

LONG_SILENT = settings.AGENT_LOST_AFTER * 2
WAITING = {"state": "setup_waiting"}


def beat(agent_id="a", **fields):
    return transitions.beat(Beat(agent_id, **fields))


def test_a_heartbeat_registers_an_agent_that_is_idle_and_online():
    agent = beat(name="Ann", meta={"hostname": "h"})

    assert (agent.pk, agent.name, agent.activity) == ("a", "Ann", "idle")
    assert (agent.meta, agent.online) == ({"hostname": "h"}, True)


def test_a_heartbeat_renews_presence_and_keeps_absent_data():
    first = beat(name="Ann", activity="running", meta={"pid": 1})
    silence(first)

    agent = beat()

    assert (agent.name, agent.activity, agent.meta) == ("Ann", "running", {"pid": 1})
    assert agent.online
    assert agent.created_at == first.created_at


def test_meta_is_replaced_whole():
    beat(meta={"a": 1})

    assert beat(meta={"b": 2}).meta == {"b": 2}
    assert beat(meta={}).meta == {}


def test_a_heartbeat_writes_no_event():
    beat()
    beat(meta={"subscriptions": ["builds"]})

    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        (["builds", " builds ", "", "tests"], ["builds", "tests"]),
        ("builds", ["builds"]),
        (["builds", 7, None], ["builds"]),
        (7, []),
    ],
)
def test_subscriptions_are_read_from_the_meta(reported, kept):
    agent = beat(meta={"subscriptions": reported, "pid": 1})

    assert (agent.subscriptions, agent.meta) == (kept, {"pid": 1})


@pytest.mark.parametrize("meta", [{"subscriptions": []}, {}, None])
def test_an_empty_list_wipes_no_subscriptions(meta):
    beat(meta={"subscriptions": ["builds"]})

    assert beat(meta=meta).subscriptions == ["builds"]


def test_subscriptions_set_by_an_operator_survive_heartbeats_until_the_agent_agrees():
    beat(meta={"subscriptions": ["old"]})
    transitions.subscribe("a", ["new", "newer"], by="operator")

    assert beat(meta={"subscriptions": ["old"]}).subscriptions == ["new", "newer"]
    assert beat(meta={"subscriptions": []}).subscriptions == ["new", "newer"]
    assert beat(meta={"subscriptions": ["newer", "new"]}).subscriptions == ["new", "newer"]
    assert beat(meta={"subscriptions": ["later"]}).subscriptions == ["later"]


def test_an_operator_that_subscribes_an_agent_makes_it_no_less_offline():
    agent = make_agent(seen_ago=LONG_SILENT)

    subscribed = transitions.subscribe(agent.pk, [" x ", "x", ""], by="operator")

    assert (subscribed.subscriptions, subscribed.online) == (["x"], False)
    assert subscribed.last_seen_at == agent.last_seen_at


def test_an_unknown_agent_cannot_be_subscribed():
    with pytest.raises(AgentUnknown):
        transitions.subscribe("nobody", ["x"], by="operator")


def test_an_agent_is_online_for_thirty_seconds_and_lost_after_the_setting():
    for name, ago in (("here", 25), ("away", 35), ("lost", LONG_SILENT.total_seconds())):
        make_agent(name, seen_ago=timedelta(seconds=ago))

    assert [agent.pk for agent in Agent.objects.online()] == ["here"]
    assert [agent.pk for agent in Agent.objects.lost()] == ["lost"]
    assert {a.pk: a.online for a in Agent.objects.with_online()} == {
        "here": True,
        "away": False,
        "lost": False,
    }


def test_hearing_of_an_unknown_agent_creates_none():
    transitions.hear("nobody")

    assert not Agent.objects.exists()


def test_locking_leaves_out_unknown_agents():
    make_agent("b")
    make_agent("a")

    assert list(transitions.lock(["b", "nobody", "a"])) == ["a", "b"]


def test_each_change_of_presence_is_one_event():
    agent = make_agent("a")
    assert [agent.pk for agent in transitions.announce()] == [agent.pk]
    assert not transitions.announce()
    silence(agent, timedelta(minutes=1))
    assert [agent.pk for agent in transitions.announce()] == [agent.pk]
    assert not transitions.announce()
    silence(agent, LONG_SILENT)
    assert [agent.pk for agent in transitions.announce()] == [agent.pk]
    assert not transitions.announce()

    events = Event.objects.about_agent("a").order_by("id")

    assert [event.type for event in events] == [
        "agent.came_online",
        "agent.went_offline",
        "agent.was_lost",
    ]
    assert {event.actor for event in events} == {"coordinator"}
    assert events[2].payload == {"from": "offline", "to": "lost"}


# An agent that waits for a person.


def test_an_agent_that_waits_for_its_setup_calls_for_a_person():
    beat(name="Ann", meta=WAITING)

    note = Notification.objects.get()
    assert note.message == "Ann waits for a channel to be assigned."
    event = Event.objects.get()
    assert (event.type, event.agent_id) == ("agent.setup_waited", "a")
    assert event.payload["notification_type"] == "setup_waiting"


def test_a_waiting_agent_with_a_channel_asks_for_a_session():
    beat(meta=WAITING)

    beat(meta=WAITING | {"subscriptions": ["builds"]})

    note = Notification.objects.get()
    assert (note.channel, note.message) == ("builds", "a is ready to start a session for builds.")


def test_the_same_waiting_agent_is_announced_now_and_then_only():
    beat(meta=WAITING)
    beat(meta=WAITING)
    assert Event.objects.count() == 1

    note = Notification.objects.get()
    note.announced_at -= transitions.ANNOUNCE_AGAIN_AFTER
    note.save()
    beat(meta=WAITING)

    assert Event.objects.count() == 2


def test_a_dismissed_notification_stays_dismissed_until_the_agent_waits_again():
    beat(meta=WAITING)
    transitions.dismiss("a", "setup_waiting")
    beat(meta=WAITING)
    assert Notification.objects.get().dismissed_at

    beat(meta={})
    assert not Notification.objects.exists()

    beat(meta=WAITING)
    assert Notification.objects.get().dismissed_at is None


def test_a_heartbeat_without_meta_keeps_waiting():
    beat(meta=WAITING)

    beat()

    assert Notification.objects.count() == 1
