"""What needs a person becomes messages by rules: once when it began, once when it is over."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from dashboard import attention
from dashboard.attention import Finding, Kind, Severity, Subject
from notifications import transitions
from notifications.models import Delivery, Event, Rule, Watched
from tests.notifications.receivers import make_delivery, make_mail, make_rule

pytestmark = pytest.mark.django_db(transaction=True)

LOCKED = Finding(
    "chain_locked",
    Kind.CHAIN_LOCKED,
    Severity.ALARM,
    lambda count, shown: f"{shown} chains are locked.",
    "#/chains?status=locked",
    [Subject("chain-1", "migration", "#/chains/chain-1")],
    1,
)


@pytest.fixture
def found(monkeypatch):
    """What is found; nothing else is looked for."""
    now = []
    monkeypatch.setattr(attention, "_sources", [lambda: now])
    return now


def ago(**passed):
    return timezone.now() - timedelta(**passed)


def events():
    return list(Delivery.objects.order_by("id").values_list("event", flat=True))


def later(**passed):
    """Let that much time have passed for all that rules have seen."""
    for name in ("seen_at", "announced_at", "gone_at"):
        for one in Watched.objects.exclude(**{name: None}):
            Watched.objects.filter(pk=one.pk).update(
                **{name: getattr(one, name) - timedelta(**passed)}
            )


def test_what_lasts_is_told_once_and_once_more_when_it_is_over(found):
    make_rule(make_mail())
    found.append(LOCKED)
    transitions.look()
    assert events() == []  # not for long enough

    later(seconds=61)
    for _ in range(3):
        transitions.look()
    assert events() == [Event.BEGAN]

    found.clear()
    transitions.look()
    later(seconds=31)
    for _ in range(3):
        transitions.look()
    assert events() == [Event.BEGAN, Event.ENDED]
    assert not Watched.objects.exists()


def test_what_began_long_ago_is_told_at_once(found):
    make_rule(make_mail())
    found.append(replace(LOCKED, found_since=ago(hours=3)))

    transitions.look()

    [message] = Delivery.objects.all()
    assert message.event == Event.BEGAN
    assert message.data["text"] == "1 chains are locked."
    assert message.data["about"] == [{"id": "chain-1", "title": "migration"}]


def test_what_is_found_just_now_is_not_told_at_once_however_old_its_things_are(found):
    make_rule(make_mail(), after_seconds=600)
    found.append(replace(LOCKED, since=ago(hours=3)))
    found.append(replace(LOCKED, key="job", since=ago(hours=3), found_since=ago(minutes=5)))
    transitions.look()
    assert events() == []

    later(minutes=11)
    transitions.look()
    assert events() == [Event.BEGAN, Event.BEGAN]


def test_what_comes_and_goes_is_one(found):
    make_rule(make_mail(), after_seconds=0)
    for _ in range(4):
        found[:] = [LOCKED]
        transitions.look()
        found.clear()
        transitions.look()
        later(seconds=20)

    assert events() == [Event.BEGAN]


def test_what_is_gone_before_it_was_told_is_never_told(found):
    make_rule(make_mail())
    found.append(LOCKED)
    transitions.look()
    found.clear()
    transitions.look()
    later(minutes=5)
    transitions.look()

    assert events() == []
    assert not Watched.objects.exists()


def test_what_grows_is_told_again_after_a_while(found):
    make_rule(make_mail(), after_seconds=0)
    found.append(replace(LOCKED, latest=ago(hours=1)))
    transitions.look()
    later(minutes=6)
    transitions.look()
    assert events() == [Event.BEGAN]  # nothing new

    found[:] = [replace(LOCKED, count=2, latest=timezone.now())]
    transitions.look()
    transitions.look()

    assert events() == [Event.BEGAN, Event.LASTS]
    assert Delivery.objects.latest("id").data["count"] == 2


def test_what_is_over_is_told_whole_however_long_it_lasted_and_however_the_rule_is_called(found):
    rule = make_rule(make_mail(), after_seconds=0)
    found.append(replace(LOCKED, since=ago(days=9)))
    transitions.look()
    began = Delivery.objects.get().data
    Delivery.objects.all().delete()  # forgotten after a week
    Rule.objects.filter(pk=rule.pk).update(name="another name")
    found.clear()
    transitions.look()
    later(minutes=1)
    transitions.look()

    data = Delivery.objects.get().data
    assert data.keys() == began.keys()
    assert data | {"timestamp": 0} == began | {
        "timestamp": 0,
        "type": Event.ENDED,
        "rule": "another name",
    }


def test_what_a_changed_rule_is_no_longer_about_is_not_said_to_be_over(found):
    rule = make_rule(make_mail(), after_seconds=0)
    found.append(LOCKED)
    transitions.look()
    Rule.objects.filter(pk=rule.pk).update(kinds=["job_stalled"])
    for _ in range(3):
        transitions.look()
        later(minutes=1)

    assert events() == [Event.BEGAN]
    assert not Watched.objects.exists()


def test_a_rule_repeats_as_often_as_it_says(found):
    make_rule(make_mail(), after_seconds=0, repeat_seconds=600)
    found.append(LOCKED)
    for _ in range(4):
        transitions.look()
        later(minutes=6)

    assert events() == [Event.BEGAN, Event.LASTS]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["chain_locked", "channel_waiting"]),
        ({"severity": Severity.NOTE}, ["chain_locked", "channel_paused", "channel_waiting"]),
        ({"severity": Severity.ALARM}, ["chain_locked"]),
        ({"kinds": ["channel_waiting"]}, ["channel_waiting"]),
        ({"kinds": ["channel_paused"]}, []),
        ({"enabled": False}, []),
    ],
    ids=["usual", "notes", "alarms", "one kind", "one kind below", "disabled"],
)
def test_a_rule_tells_what_it_is_about(found, fields, told):
    make_rule(make_mail(), after_seconds=0, **fields)
    for kind, severity in [
        ("chain_locked", Severity.ALARM),
        ("channel_waiting", Severity.WARNING),
        ("channel_paused", Severity.NOTE),
    ]:
        found.append(replace(LOCKED, key=kind, kind=kind, severity=severity))

    transitions.look()

    assert sorted(Delivery.objects.values_list("key", flat=True)) == told


def test_a_receiver_that_is_not_enabled_is_told_nothing(found):
    make_rule(make_mail(enabled=False), after_seconds=0)
    found.append(LOCKED)

    assert transitions.look() == 0


def test_rules_that_say_so_are_silent_when_it_is_over(found):
    make_rule(make_mail(), after_seconds=0, tells_end=False)
    found.append(LOCKED)
    transitions.look()
    found.clear()
    transitions.look()
    later(minutes=1)
    transitions.look()

    assert events() == [Event.BEGAN]


def test_a_receiver_for_which_too_much_waits_gets_nothing_new(found, monkeypatch):
    monkeypatch.setattr(transitions, "MOST_WAITING", 2)
    receiver = make_mail()
    make_rule(receiver, after_seconds=0)
    for _ in range(2):
        make_delivery(receiver)
    found.append(LOCKED)

    assert transitions.look() == 0
    Delivery.objects.all().delete()
    assert transitions.look() == 1


def test_two_loops_at_once_make_one_message(found):
    make_rule(make_mail(), after_seconds=0)
    found.append(LOCKED)
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        transitions.look()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert events() == [Event.BEGAN]


def test_links_need_to_know_where_the_dashboard_is(found, settings):
    make_rule(make_mail(), after_seconds=0)
    found.append(LOCKED)
    settings.PUBLIC_URL = "https://coordinator.example.org"

    transitions.look()

    url = Delivery.objects.get().data["url"]
    assert url == "https://coordinator.example.org/#/chains?status=locked"


def test_messages_that_ended_long_ago_are_forgotten():
    receiver = make_mail()
    for status, days in [("sent", 8), ("sent", 6), ("dead", 31), ("dead", 29)]:
        make_delivery(receiver, status=status, ended_at=ago(days=days))
    make_delivery(receiver)
    disabled = make_mail(enabled=False)
    make_delivery(disabled, created_at=ago(days=31))
    make_delivery(disabled, created_at=ago(days=29))

    assert transitions.forget() == 3
    assert Delivery.objects.count() == 4
