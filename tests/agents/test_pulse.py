"""While agents could not be heard, and a while after, their silence does not count against them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import ApiToken
from agents import pulse, transitions
from agents.models import Agent, Presence, Protocol, Pulse
from chains import transitions as chains
from chains.models import Chain
from tasks import leases
from tasks.models import Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_held_task,
    silence,
)
from tests.racing import with_connection

pytestmark = pytest.mark.django_db


def make_pulse(*, beat_ago=0.0, grace_left=-1.0):
    pulse.beat()
    Pulse.objects.update(
        beat_at=Now() - timedelta(seconds=beat_ago),
        grace_until=Now() + timedelta(seconds=grace_left),
    )


def reap():
    """What the reapers take back now."""
    found = (leases.expire_leases, leases.release_lost, chains.detach_expired, chains.detach_lost)
    return sum(len(got) if hasattr(got, "tasks") else got for got in (take() for take in found))


@pytest.fixture
def gone():
    """Agents silent for an hour, each with a task, one in a chain, and two leases that ran out."""
    for number in range(2):
        agent = make_agent(f"lost-{number}", protocol=Protocol.SPOT)
        if number:
            give(agent, make_chain(tasks=2).channel)
        else:
            make_held_task(agent)
        silence(agent)
    let_lease_run_out(make_held_task())
    agent = make_agent()
    let_lease_run_out(give(agent, make_chain(tasks=2).channel))


@pytest.mark.usefixtures("gone")
def test_with_a_regular_pulse_silence_counts():
    make_pulse()

    assert reap() == 4
    assert Agent.objects.lost().count() == 2


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize(
    "state",
    [{"beat_ago": 15}, {"beat_ago": 5}, {"grace_left": 20}, {"beat_ago": -5, "grace_left": 1}],
    ids=["it stands still", "a beat is missing", "in the grace", "at the end of the grace"],
)
def test_while_it_is_missing_and_in_the_grace_nobody_is_lost(state):
    make_pulse(**state)

    assert reap() == 0
    assert not Agent.objects.lost().exists()
    assert not Chain.objects.expired().exists()
    assert Task.objects.in_progress().count() == 4


def test_the_first_beat_begins_a_grace(settings):
    settings.GRACE = timedelta(seconds=20)

    until = pulse.beat()

    row = Pulse.objects.get()
    assert row.grace_until == until
    assert timedelta(seconds=19) < until - row.beat_at <= timedelta(seconds=20.001)


def test_a_regular_beat_begins_none():
    make_pulse(beat_ago=1)
    before = Pulse.objects.get()

    assert pulse.beat() == before.grace_until
    assert Pulse.objects.get().beat_at > before.beat_at


def test_a_beat_that_comes_late_begins_one():
    make_pulse(beat_ago=5)

    assert pulse.beat() > Pulse.objects.get().beat_at + timedelta(seconds=20)


def test_a_jump_of_the_clock_is_a_missing_beat():
    make_held_task(make_agent("a", protocol=Protocol.SPOT))
    make_pulse()
    # As if it was an hour later.
    Pulse.objects.update(beat_at=F("beat_at") - timedelta(hours=1))
    Agent.objects.update(last_seen_at=F("last_seen_at") - timedelta(hours=1))

    assert reap() == 0
    pulse.beat()
    assert reap() == 0


def test_a_clock_that_is_put_back_makes_no_grace_longer():
    make_pulse(beat_ago=-3600, grace_left=3610)

    assert pulse.beat() < Pulse.objects.get().beat_at + timedelta(seconds=31)


def test_only_who_came_online_is_announced_meanwhile():
    make_agent("here")
    silence(make_agent("silent", protocol=Protocol.SPOT))
    Agent.objects.filter(pk="silent").update(announced=Presence.ONLINE)
    make_pulse(grace_left=20)

    assert [agent.pk for agent in transitions.announce()] == ["here"]

    make_pulse()
    assert [agent.pk for agent in transitions.announce()] == ["silent"]
    assert fresh(Agent(pk="silent")).announced == Presence.LOST


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Agent, Task])
def test_a_locked_table_stops_the_pulse(model):
    make_pulse()
    before = Pulse.objects.get().beat_at
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {model._meta.db_table} IN SHARE MODE")
        with ThreadPoolExecutor(1) as pool:
            beating = pool.submit(with_connection, lambda: pulse.beat([Agent, Task]))
            with pytest.raises(OperationalError, match="lock timeout"):
                beating.result(timeout=30)

    assert Pulse.objects.get().beat_at == before
    pulse.beat([Agent, Task])
    assert Pulse.objects.get().beat_at > before


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_only_read_may_be_written_but_not_taken():
    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("LOCK TABLE accounts_apitoken IN SHARE MODE")
        pool.submit(with_connection, lambda: pulse.beat([Agent], [ApiToken])).result(timeout=30)
        cursor.execute("LOCK TABLE accounts_apitoken IN ACCESS EXCLUSIVE MODE")
        beating = pool.submit(with_connection, lambda: pulse.beat([Agent], [ApiToken]))
        with pytest.raises(OperationalError, match="lock timeout"):
            beating.result(timeout=30)


def test_a_grace_is_begun_and_not_made_shorter(settings):
    settings.GRACE = timedelta(seconds=20)
    make_pulse()

    pulse.begin_grace()
    begun = Pulse.objects.get().grace_until
    assert begun > timezone.now() + timedelta(seconds=19)
    settings.GRACE = timedelta(seconds=5)
    pulse.begin_grace()

    assert Pulse.objects.get().grace_until == begun


def test_a_task_of_an_agent_that_stays_silent_is_taken_back_after_the_grace():
    agent = make_agent(protocol=Protocol.SPOT)
    task = make_held_task(agent)
    silence(agent)
    make_pulse(beat_ago=5)
    pulse.beat()
    assert reap() == 0

    make_pulse()
    assert reap() == 1
    assert fresh(task).status == Status.QUEUED
