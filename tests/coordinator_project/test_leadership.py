"""The lead is a lease by the database's clock, and passes are fenced by its term."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from coordinator_project import leadership
from coordinator_project.leadership import Fence, Leadership, NotLeading
from coordinator_project.maintenance import Loop, Pass
from coordinator_project.models import LeaderLease
from tasks.models import Channel
from tests.coordinator_project.proxy import proxy
from tests.coordinator_project.running import Program, eventually, surroundings
from tests.factories import make_channel
from tests.racing import with_connection

pytestmark = pytest.mark.django_db(transaction=True)


def let_lease_end():
    LeaderLease.objects.update(expires_at=Now() - timedelta(seconds=1))


def in_another_session(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(with_connection, call).result(timeout=30)


def test_one_of_two_leads_until_its_lease_ends():
    one, other = Leadership(), Leadership()
    assert one.keep()
    assert not other.keep()
    assert one.keep()

    let_lease_end()

    assert other.keep()
    assert not one.keep()
    assert (one.held(), other.held()) == (None, 2)


def test_each_leader_has_a_term_of_its_own():
    terms = []
    for _ in range(3):
        one = Leadership()
        assert one.keep()
        terms.append(one.held())
        one.give_up()

    assert terms == [1, 2, 3]


def test_a_lease_that_nobody_took_is_renewed_late():
    one = Leadership()
    one.keep()
    let_lease_end()

    assert one.keep()
    assert one.held() == 1


def test_the_lease_of_a_session_that_has_ended_is_free_at_once():
    one, other = Leadership(), Leadership()
    in_another_session(one.keep)

    eventually(other.keep)


def test_whoever_cannot_renew_its_lease_stops_by_its_own_clock(monkeypatch):
    monkeypatch.setattr(leadership, "LEASE", 0.2)
    one = Leadership()
    assert one.keep()

    eventually(lambda: one.held() is None)


def test_of_several_that_see_a_free_lease_one_takes_it():
    for _ in range(10):
        let_lease_end()
        several = [Leadership() for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            took = list(pool.map(lambda one: with_connection(one.keep), several))
        # The sessions end with their threads, so another may follow; never two in one term.
        terms = [one.term for one in several if one.term]
        assert sum(took) == len(terms) == len(set(terms)) >= 1


def test_a_pass_changes_nothing_after_its_term():
    one, other = Leadership(), Leadership()
    one.keep()
    let_lease_end()
    assert other.keep()

    with connection.execute_wrapper(Fence(one.term)):
        with pytest.raises(NotLeading):
            make_channel("in autocommit")
        with pytest.raises(NotLeading), transaction.atomic():
            make_channel("in a transaction")
    with connection.execute_wrapper(Fence(other.term)):
        make_channel("of the leader")

    assert [channel.name for channel in Channel.objects.all()] == ["of the leader"]


def test_a_transaction_of_the_former_leader_is_ended_before_another_leads():
    one, other = Leadership(), Leadership()
    one.keep()
    begun, taken = threading.Event(), threading.Event()

    def work():
        with connection.execute_wrapper(Fence(one.term)), transaction.atomic():
            make_channel("half done")
            begun.set()
            assert taken.wait(30)
            make_channel("too late")

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(with_connection, work)
        assert begun.wait(30)
        let_lease_end()
        assert other.keep()
        taken.set()
        assert working.exception(timeout=30)

    assert not Channel.objects.exists()


def test_a_loop_that_no_longer_leads_runs_no_pass(caplog):
    ran = []
    loop = Loop([Pass("p", timedelta(seconds=1), lambda: ran.append(1) or 0)])
    loop.turn(100)
    LeaderLease.objects.update(term=F("term") + 1)

    loop.turn(200)

    assert len(ran) == 1
    assert loop.leadership.held() is None
    LeaderLease.objects.update(expires_at=Now())
    loop.turn(300)
    assert len(ran) == 2
    loop.give_up()


def test_a_pass_that_loses_the_lead_midway_is_no_failure(caplog):
    def lose_the_lead():
        in_another_session(lambda: LeaderLease.objects.update(term=F("term") + 1))
        make_channel("too late")
        return 1

    loop = Loop([Pass("p", timedelta(seconds=1), lose_the_lead)])
    loop.turn(100)

    assert not Channel.objects.exists()
    assert [record.message for record in caplog.records] == ["A pass was left to another leader."]


# Two coordinators, each a process.


@contextmanager
def leading(name, port, seconds="0.3"):
    database = connection.get_connection_params()
    url = "postgresql://{user}:{password}@127.0.0.1:{port}/{dbname}".format(
        **database | {"port": port}
    )
    env = surroundings() | {"COORDINATOR_DATABASE_URL": url, "SECRET_KEY": "only for a test " * 4}
    program = Program("-m", "tests.coordinator_project.leading", name, seconds, env=env)
    try:
        eventually(lambda: "works" in program.output, 30)
        yield program
    finally:
        if program.process.poll() is None:
            os.kill(program.process.pid, signal.SIGKILL)
        program.process.wait(10)
        program.reader.join(10)


def made_by(name):
    return Channel.objects.filter(name__startswith=f"{name}-").count()


@pytest.fixture
def port():
    return int(connection.get_connection_params()["port"])


def test_a_leader_that_is_cut_off_is_followed_within_ten_seconds_and_changes_no_more(port):
    with proxy(port) as network, leading("one", network.port):
        eventually(lambda: made_by("one"), 30)
        with leading("other", port):
            assert not made_by("other")
            network.swallow()
            began = time.monotonic()

            eventually(lambda: made_by("other"), 20)

            assert time.monotonic() - began < 10
            before = made_by("one")
            network.heal()
            seen = made_by("other")
            eventually(lambda: made_by("other") > seen + 8, 30)
            assert made_by("one") == before
            assert before % 2 == 0


def test_a_leader_that_stands_still_is_followed_and_changes_no_more(port):
    with leading("one", port) as one:
        eventually(lambda: made_by("one"), 30)
        with leading("other", port):
            os.kill(one.process.pid, signal.SIGSTOP)
            began = time.monotonic()

            eventually(lambda: made_by("other"), 20)

            assert time.monotonic() - began < 10
            before = made_by("one")
            os.kill(one.process.pid, signal.SIGCONT)
            seen = made_by("other")
            eventually(lambda: made_by("other") > seen + 4, 30)
            assert made_by("one") == before


def test_a_leader_that_is_killed_is_followed_in_a_moment(port):
    with leading("one", port) as one:
        eventually(lambda: made_by("one"), 30)
        with leading("other", port):
            os.kill(one.process.pid, signal.SIGKILL)
            began = time.monotonic()

            eventually(lambda: made_by("other"), 20)

            assert time.monotonic() - began < leadership.LEASE + 3
