"""What shows the state of the loop: pass status, `/health/details`, the log of a stuck pass."""

import logging
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from agents.models import Agent
from coordinator_project import health, maintenance, models, pass_status, vitals
from coordinator_project.maintenance import Loop, Pass
from coordinator_project.models import PassRecord
from coordinator_project.watch import Watch
from tests.coordinator_project.running import eventually, running
from tests.factories import make_agent

pytestmark = pytest.mark.django_db(transaction=True)


def a_pass(run, name="a pass", every=10.0):
    return Pass(name, timedelta(seconds=every), run)


@contextmanager
def looping(*todo, **watch):
    """A loop that runs in a thread, as in its process."""
    loop = Loop(todo, Watch(**watch) if watch else None)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop.set()
        thread.join(20)
        assert not thread.is_alive()


def details(client):
    answer = client.get("/health/details")
    return answer.status_code, answer.json()


def lines_of_the_loop(caplog, level):
    """The loop's log records at this level so far."""
    return [
        record
        for record in caplog.records
        if (record.name, record.levelno) == ("coordinator.maintenance", level)
    ]


def wait_for_the_agents():
    """A pass that needs every agent's row."""
    with transaction.atomic():
        return len(Agent.objects.select_for_update(no_key=True)) * 0


def test_the_pass_status_has_the_last_success(client):
    with looping(a_pass(lambda: 3, "busy")):
        eventually(PassRecord.objects.exclude(last_success_at=None).exists)
        status, body = details(client)

    assert (status, body["ok"], body["loop"]["led"]) == (200, True, True)
    (row,) = body["loop"]["passes"]
    assert row.pop("last_success_at") <= timezone.now().isoformat()
    assert row.pop("milliseconds") >= 0
    assert row == {
        "name": "busy",
        "every_seconds": 10,
        "late": False,
        "done": 3,
        "failures": 0,
    }
    assert body["database"]["ok"] is True
    assert int(body["database"]["version"].split(".")[0]) >= 15


def test_failures_in_a_row_are_counted_until_it_succeeds(client):
    wrong = [True]
    loop = Loop([a_pass(lambda: 1 // (not wrong[0]), "moody", every=1)])
    try:
        loop.turn(100)
        loop.turn(200)
        row = PassRecord.objects.get()
        assert (row.failures, row.last_success_at) == (2, None)
        assert row.problem.startswith("ZeroDivisionError")
        assert details(client)[0] == 200

        wrong[0] = False
        loop.turn(300)
    finally:
        loop.leadership.give_up()

    row = PassRecord.objects.get()
    assert (row.failures, row.problem) == (0, "")
    assert row.last_success_at


def test_the_pass_status_is_not_written_at_every_turn():
    loop = Loop([a_pass(lambda: 0, every=0.001)])
    try:
        loop.turn(100)
        first = PassRecord.objects.get().last_success_at
        loop.turn(200)
        assert PassRecord.objects.get().last_success_at == first

        loop.statuses.written_at -= pass_status.WRITE_EVERY
        loop.turn(300)
        assert PassRecord.objects.get().last_success_at > first
    finally:
        loop.leadership.give_up()


def test_a_new_leader_deletes_passes_that_no_longer_exist():
    PassRecord.objects.create(name="of old", every=timedelta(seconds=1))
    loop = Loop([a_pass(lambda: 0, "of now")])
    try:
        loop.turn(100)
    finally:
        loop.leadership.give_up()

    assert PassRecord.objects.get().name == "of now"


def test_only_the_leader_writes_the_pass_status():
    leader, other = Loop([a_pass(lambda: 0, "one")]), Loop([a_pass(lambda: 0, "two")])
    try:
        leader.turn(100)
        other.turn(100)
        assert [row.name for row in PassRecord.objects.all()] == ["one"]
    finally:
        leader.leadership.give_up()
        other.leadership.give_up()


def test_health_says_that_nobody_leads(client):
    PassRecord.objects.create(name="a pass", every=timedelta(seconds=1), last_success_at=Now())

    status, body = details(client)

    assert status == 503
    assert (body["ok"], body["loop"]["ok"], body["loop"]["led"]) == (False, False, False)
    assert body["database"]["ok"] is True


@pytest.mark.parametrize(("ago", "late"), [(80, False), (100, True)])
def test_a_pass_is_late_after_three_intervals_and_a_minute(ago, late):
    then = Now() - timedelta(seconds=ago)
    PassRecord.objects.create(
        name="a pass", every=timedelta(seconds=10), led_since=then, last_success_at=then
    )

    assert PassRecord.objects.with_late().get().late is late


def test_a_pass_missed_while_nobody_led_is_not_late():
    PassRecord.objects.create(
        name="a pass",
        every=timedelta(seconds=10),
        led_since=Now(),
        last_success_at=Now() - timedelta(days=1),
    )

    assert PassRecord.objects.with_late().get().late is False


def test_a_pass_that_hangs_is_noticed_while_it_does(client, caplog, monkeypatch):
    monkeypatch.setattr(models, "SPARE", timedelta(seconds=2))
    agent = make_agent()
    todo = a_pass(wait_for_the_agents, "stuck", every=0.1)

    def errors():
        return lines_of_the_loop(caplog, logging.ERROR)

    with looping(todo, slow=0.2, stuck=0.2):
        eventually(lambda: details(client)[0] == 200)
        with transaction.atomic():
            list(Agent.objects.filter(pk=agent.pk).select_for_update(no_key=True))
            eventually(errors)
            eventually(lambda: details(client)[0] == 503)
            _, body = details(client)
            assert body["loop"]["passes"][0]["late"] is True
            assert body["loop"]["led"] is True
        eventually(lambda: details(client)[0] == 200)

    line = errors()[0]
    assert (line.message, getattr(line, "pass")) == ("A pass does not end.", "stuck")
    assert line.seconds >= 0.2
    assert "wait_for_the_agents" in line.where
    slow = lines_of_the_loop(caplog, logging.WARNING)[0]
    assert (slow.message, getattr(slow, "pass")) == ("A pass took long.", "stuck")


def test_a_pass_that_hangs_is_logged_once_in_a_while(caplog):
    free = threading.Event()
    started = time.monotonic()
    with looping(a_pass(lambda: free.wait(20) * 0), stuck=0.4):
        eventually(lambda: len(caplog.records) >= 3)
        free.set()

    lines = lines_of_the_loop(caplog, logging.ERROR)
    assert len(lines) <= (time.monotonic() - started) / 0.4


def test_a_pass_in_good_time_is_not_logged(caplog):
    with looping(a_pass(lambda: 0, every=0.01)) as loop:
        eventually(lambda: loop.statuses.by_name["a pass"].succeeded)

    assert caplog.records == []


def test_details_need_a_credential(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "secret"

    assert client.get("/health/details").status_code == 401
    assert client.get("/health").status_code == 200
    answer = client.get("/health/details", headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 503


def test_health_says_that_the_database_does_not_answer(client):
    connection.close()
    name, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], "there is none"
    try:
        status, body = details(client)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name

    assert (status, body["ok"], body["database"]["ok"]) == (503, False, False)
    assert "loop" not in body


@contextmanager
def for_all_sessions(setting):
    """Change a setting of this test's database for sessions that begin now."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET {setting}')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET {setting.partition(" ")[0]}')


def test_health_says_that_the_database_takes_no_changes(client):
    with looping(a_pass(lambda: 0)):
        eventually(lambda: details(client)[0] == 200)
        with for_all_sessions("default_transaction_read_only = on"):
            status, body = details(client)

    assert (status, body["ok"], body["database"]["cause"]) == (503, False, "read_only")
    assert body["loop"]["ok"] is True


def test_health_says_that_nothing_can_be_written(client):
    with looping(a_pass(lambda: 0)):
        eventually(lambda: details(client)[0] == 200)
        with for_all_sessions("temp_file_limit = 64"):  # as good as a full disk
            status, body = details(client)

    assert (status, body["database"]["ok"]) == (503, False)
    assert "temp" in body["database"]["problem"]


def test_the_write_that_health_tries_leaves_nothing(client):
    with looping(a_pass(lambda: 0, "one")):
        eventually(lambda: details(client)[0] == 200)
        before = list(PassRecord.objects.values_list("name", flat=True))
        assert details(client)[0] == 200

    assert before == list(PassRecord.objects.values_list("name", flat=True)) == ["one"]


def test_health_answers_in_time_though_the_database_does_not(client, monkeypatch):
    monkeypatch.setattr(health, "WITHIN", 0.5)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE coordinator_project_passrecord")
    try:
        status, body = details(client)
        again, _ = details(client)
    finally:
        connection.close()

    assert (status, again, body["database"]["cause"]) == (503, 503, "database_away")
    eventually(lambda: not health.pool._work_queue.qsize() and details(client)[1].get("loop"))


def test_health_shows_every_process_and_which_stands_still(client, monkeypatch):
    monkeypatch.setattr(vitals, "present", vitals.Vitals())
    with looping(a_pass(lambda: 0)):
        eventually(lambda: details(client)[0] == 200)
        for name, behind in (("http-0", None), ("http-1", 12.0)):
            vitals.present.place = vitals.present.add(name)
            vitals.present.beat(behind)

        status, body = details(client)

    assert status == 503
    assert [(row["name"], row["ok"]) for row in body["processes"]] == [
        ("http-0", True),
        ("http-1", False),
    ]
    assert body["processes"][1]["stream_behind_seconds"] == pytest.approx(12, abs=1)
    assert "stream_behind_seconds" not in body["processes"][0]


def test_details_list_every_pass(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        eventually(lambda: coordinator.get("/health/details").status_code == 200)
        body = eventually(lambda: _done(coordinator.get("/health/details").json()))

    assert {row["name"] for row in body["loop"]["passes"]} == {
        one.name for one in maintenance.passes()
    }
    assert not any(row["failures"] or row["late"] for row in body["loop"]["passes"])


def _done(body):
    """The body, once each pass that runs at the start has succeeded."""
    return all("last_success_at" in row for row in body["loop"]["passes"]) and body
