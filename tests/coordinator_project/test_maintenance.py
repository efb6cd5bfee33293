import logging
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.models.functions import Now
from django.utils import timezone

from agents.models import Pulse
from coordinator_project import maintenance, statistics, vitals
from coordinator_project.maintenance import Lane, Loop, Pass
from tests.spots.calls import make_sweep


def a_pass(run, name="a pass", every=10, lane=Lane.URGENT):
    return Pass(name, timedelta(seconds=every), run, lane)


@pytest.fixture
def make_loop(transactional_db):
    made = []

    def make(*todo):
        made.append(Loop(todo))
        return made[-1]

    yield make
    for loop in made:
        loop.give_up()


def test_a_pass_runs_when_it_is_due(make_loop):
    ran = []
    loop = make_loop(a_pass(lambda: ran.append(1) or 0, every=10))

    for now in (100, 105, 109, 110, 111, 121):
        loop.turn(now)

    assert len(ran) == 3


def test_only_one_of_several_loops_works(make_loop):
    ran = []
    first = make_loop(a_pass(lambda: ran.append("first") or 0))
    second = make_loop(a_pass(lambda: ran.append("second") or 0))

    first.turn(100)
    second.turn(100)
    assert ran == ["first"]

    first.give_up()
    second.turn(101)
    assert ran == ["first", "second"]


def test_a_fault_in_one_pass_is_logged_and_ends_nothing(make_loop, caplog):
    ran = []
    loop = make_loop(a_pass(lambda: 1 // 0, "broken"), a_pass(lambda: ran.append(1) or 0))

    loop.turn(100)
    loop.turn(200)

    assert len(ran) == 2
    faults = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(faults) == 2


def test_a_pass_that_did_something_is_one_line(make_loop, caplog):
    loop = make_loop(a_pass(lambda: 3, "busy"), a_pass(lambda: 0, "idle"))

    with caplog.at_level(logging.INFO, "coordinator.maintenance"):
        loop.turn(100)

    (line,) = caplog.records
    assert (getattr(line, "pass"), line.done) == ("busy", 3)


def test_a_pass_that_failed_is_retried_before_long(make_loop):
    ran = []
    loop = make_loop(a_pass(lambda: ran.append(1) or 1 // 0, every=3600))

    for now in (100, 159, 160, 161, 220):
        loop.turn(now)

    assert len(ran) == 3


def test_a_pass_that_the_database_gave_up_is_logged_as_that(make_loop, caplog):
    def wait_in_vain():
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '50ms'")
            cursor.execute("SELECT pg_sleep(10)")

    loop = make_loop(a_pass(wait_in_vain, "slow"))

    loop.turn(100)

    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (line.message, getattr(line, "pass")) == ("A pass was given up.", "slow")
    assert "timeout" in line.problem


def test_a_pass_on_a_read_only_database_is_given_up_in_one_line(make_loop, caplog):
    def write():
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute("CREATE TABLE never (made int)")

    loop = make_loop(a_pass(write, "writing"))

    loop.turn(100)

    (line,) = [record for record in caplog.records if getattr(record, "pass", "") == "writing"]
    assert (line.message, line.levelno) == ("A pass was given up.", logging.WARNING)
    assert line.exc_info is None


def test_it_still_leads_after_its_sessions_were_ended(make_loop, caplog):
    ran = []
    loop = make_loop(a_pass(lambda: ran.append(1) or 0, every=1))
    loop.turn(100)
    term = loop.leadership.held()
    end_all_sessions()

    with caplog.at_level(logging.INFO, "coordinator.maintenance"):
        loop.turn(200)
        loop.turn(300)

    assert len(ran) == 3
    assert loop.leadership.held() == term
    assert [record.message for record in caplog.records] == [
        "The database does not answer.",
        "The database answers again.",
    ]


def test_what_takes_long_holds_up_no_other_lane(make_loop):
    slow, ran = threading.Event(), threading.Event()
    loop = make_loop(
        a_pass(lambda: slow.wait(30) * 0, "retention", lane=Lane.UPKEEP),
        a_pass(lambda: ran.set() or 0, "wake", every=0.1),
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        for _ in range(3):
            ran.clear()
            assert ran.wait(10)
        assert loop.statuses.by_name["retention"].succeeded is None
    finally:
        slow.set()
        loop.stop.set()
        thread.join(20)


@pytest.mark.django_db(transaction=True)
def test_every_pass_of_the_coordinator_finds_nothing_to_do_in_an_empty_database():
    maintenance.make_months()
    statistics.refresh()  # of what other tests have changed

    for one in maintenance.passes():
        assert one.run() == 0, one.name


def end_all_sessions():
    """End all sessions of the database, as its restart does."""
    mine = connections.create_connection("default")
    with mine.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    mine.close()


def test_the_reapers_go_by_the_clock_that_the_settings_name(settings):
    settings.REAP_TASKS_EVERY = timedelta(seconds=7)
    settings.REAP_AGENTS_EVERY = timedelta(seconds=3)

    every = {one.name: one.every.total_seconds() for one in maintenance.passes()}

    assert {every["tasks.expire_leases"], every["chains.detach_expired"]} == {7}
    agents = ("agents.announce", "tasks.release_lost", "chains.detach_lost")
    assert {every[name] for name in agents} == {3}
    assert (every["tasks.wake_postponed"], every["jobs.fold"]) == (0.5, 1)


WRITTEN = """
SELECT relation::regclass::text FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE pid = pg_backend_pid() AND mode = 'RowExclusiveLock' AND relkind IN ('r', 'p')
  AND NOT relispartition"""


@pytest.fixture
def deaf(monkeypatch):
    monkeypatch.setattr(vitals, "present", vitals.Vitals())
    vitals.present.place = vitals.present.add("http-0")
    vitals.present.hear()
    vitals.present.heard[0] -= vitals.DEAF_AFTER + 1


def grace_left():
    return Pulse.objects.get().grace_until - timezone.now()


def test_while_a_process_hears_no_agents_the_grace_begins_again_and_again(make_loop, deaf, caplog):
    loop = make_loop()
    for _ in range(2):
        loop.keep()
        Pulse.objects.update(grace_until=Now())

    loop.keep()
    assert grace_left() > settings.GRACE - timedelta(seconds=5)
    vitals.present.hear()
    loop.keep()

    assert grace_left() > settings.GRACE - timedelta(seconds=5)
    Pulse.objects.update(grace_until=Now())
    loop.keep()
    assert grace_left() < timedelta()
    said = [record.getMessage() for record in caplog.records if "heard" in record.getMessage()]
    assert said == ["Agents cannot be heard.", "Agents could not be heard; none is lost before."]


def test_a_loop_that_does_not_lead_says_so_too(make_loop, monkeypatch, deaf):
    leading, other = make_loop(), make_loop()
    monkeypatch.setattr(vitals.present, "deaf", list)
    leading.keep()
    Pulse.objects.update(grace_until=Now())
    monkeypatch.setattr(vitals.present, "deaf", lambda: ["http-1"])

    other.keep()

    assert other.leadership.held() is None
    assert grace_left() > settings.GRACE - timedelta(seconds=5)
    Pulse.objects.update(grace_until=Now())
    monkeypatch.setattr(vitals.present, "deaf", list)
    other.keep()
    assert grace_left() < timedelta()


@pytest.mark.django_db
def test_the_pulse_misses_each_table_that_a_spot_writes_to(client):
    make_sweep()

    def send(path, body):
        answer = client.post(f"/internal/v1/{path}", body, content_type="application/json")
        assert answer.status_code == 200
        return answer.json()

    measured = {"cpuLoad": 0.5, "runningTasks": 0, "totalCores": 2}
    send("hello", {"spotId": "s"})
    send("heartbeat", {"spotId": "s"} | measured)
    [task] = send("tasks/claim", {"spotId": "s", "maxTasks": 1})["tasks"]
    send(f"tasks/{task['id']}/complete", {"spotId": "s", "runtimeMs": 1, "iter": 1, "fopt": 1.0})

    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        written = {name for (name,) in cursor}
    assert written >= {"agents_agent", "tasks_task", "events_event", "jobs_tally"}
    assert written <= {model._meta.db_table for model in maintenance.heard_by()[0]}
