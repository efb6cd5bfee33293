"""`manage.py doctor`: what it finds, what it says helps, and its exit code."""

from datetime import timedelta
from io import StringIO

import orjson
import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from coordinator_project import doctor, maintenance
from coordinator_project.doctor import database, surroundings, work
from coordinator_project.models import LeaderLease, PassRecord
from tasks import tallies
from tasks.tally_models import TaskTally
from tests.artifacts.calls import Runner
from tests.factories import fail_at_once, make_agent, make_channel, make_task
from tests.tasks.counting import fold_all

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _all_is_counted(db):
    """Tests before these may have used up ids of events."""
    fold_all()


def run(*options):
    out = StringIO()
    try:
        call_command("doctor", *options, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def led():
    now = timezone.now()
    lease = {"term": 1, "led_since": now, "expires_at": now + timedelta(minutes=1), "pid": 1}
    LeaderLease.objects.update_or_create(pk=1, defaults=lease)


def test_a_sound_coordinator_has_no_fault():
    maintenance.make_months()
    led()

    code, said = run()

    assert code == 0, said
    assert "WRONG" not in said
    assert len(said.splitlines()) == len(doctor.EXAMINATIONS)


def test_a_fault_is_told_with_its_remedy_and_the_exit_code():
    maintenance.make_months()

    code, said = run("--json")

    answer = orjson.loads(said)
    assert (code, answer["ok"]) == (1, False)
    [fault] = [finding for finding in answer["findings"] if not finding["ok"]]
    assert fault["name"] == "leader"
    assert "serve" in fault["remedy"]
    assert run()[1].count("WRONG") == 1


def test_dead_letters_are_a_note():
    maintenance.make_months()
    led()
    task = make_task()
    fail_at_once(type(task).objects.filter(pk=task.pk))

    code, said = run()

    assert code == 0
    assert "note   dead letters: 1 dead letters wait for a person." in said


def test_a_pass_that_is_late_or_fails_is_named():
    long_ago = timezone.now() - timedelta(hours=1)
    PassRecord.objects.create(name="slow", every=timedelta(seconds=1), led_since=long_ago)
    PassRecord.objects.create(
        name="broken", every=timedelta(seconds=1), failures=2, problem="Error: no"
    )

    found = work.passes()

    assert not found.ok
    assert "slow" in found.message
    assert "broken (Error: no)" in found.message


def test_miscounted_tasks_are_found():
    make_task()
    fold_all()
    assert work.tallies().ok
    TaskTally.objects.filter(hour=tallies.EVER, event="task.created").update(count=5)

    assert not work.tallies().ok


def test_a_channel_that_nobody_works_for_is_named():
    make_task(make_channel("lonely"))
    make_agent(subscriptions=("another",))

    found = work.unserved()
    make_agent(subscriptions=("Lonely",))

    assert not found.ok
    assert "lonely" in found.message
    assert work.unserved().ok


def test_a_trigger_that_is_gone_is_found():
    assert database.triggers().ok
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_task DISABLE TRIGGER USER")

    found = database.triggers()

    assert not found.ok
    assert "journal_changed of tasks_task" in found.message or "more" in found.message


def test_migrations_that_are_missing_are_found():
    assert database.migrations().ok
    last = MigrationRecorder.Migration.objects.filter(app="tasks").latest("name")
    last.delete()

    found = database.migrations()

    assert not found.ok
    assert f"tasks.{last.name}" in found.message


def test_a_month_that_is_missing_is_found():
    maintenance.make_months()
    assert database.months().ok
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {database.partitions.existing()[-1]}")

    assert not database.months().ok


@pytest.mark.django_db(transaction=True)
def test_an_old_transaction_is_found(monkeypatch):
    monkeypatch.setattr(database, "OLD", 0)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1")
            found = database.old_transactions()
    finally:
        other.close()

    assert not found.ok
    assert "pid " in found.message


def test_connections_and_disks_that_run_out_are_found(monkeypatch, settings, tmp_path):
    settings.COORDINATOR_DATA_DIR = tmp_path
    assert database.connections().ok
    assert surroundings.disks().ok

    monkeypatch.setattr(database, "MOST_USED", 0)
    monkeypatch.setattr(surroundings, "LEAST_FREE", 1.1)

    assert not database.connections().ok
    assert not surroundings.disks().ok


def test_dead_rows_and_a_clock_that_is_wrong_are_found(monkeypatch):
    assert database.dead_tuples().ok
    assert surroundings.clock().ok

    monkeypatch.setattr(surroundings, "MOST_APART", -1)

    assert not surroundings.clock().ok


def test_an_agent_whose_clock_is_wrong_is_named_by_its_log(client):
    holder = Runner(client)
    assert holder.send("a line").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("UPDATE artifacts_logbatch SET first_at = now(), last_at = now()")
        before = surroundings.clocks_of_agents()
        cursor.execute("UPDATE artifacts_logbatch SET last_at = now() + interval '1 hour'")

    found = surroundings.clocks_of_agents()

    assert before.ok, before.message
    assert not found.ok
    assert "3600 s" in found.message or "3599 s" in found.message


def test_it_says_that_nothing_ran_on_a_data_folder(settings, tmp_path):
    settings.COORDINATOR_DATA_DIR = tmp_path

    assert "No coordinator has run" in surroundings.followers().message
