"""The journal counted: each event once, whatever is folded and whenever it commits."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import retention
from events.models import Event
from tasks import leases, reports, tallies, transitions
from tasks.models import Task
from tasks.rows import Outcome
from tasks.tally_models import TallyMark, TaskTally, TaskTiming
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
)
from tests.tasks.counting import fold_all, in_the_journal, statuses, timed, told

pytestmark = pytest.mark.django_db


def end(task, *, well, **more):
    outcome = Outcome(task.pk, well, **more)
    reports.report_in_transaction([outcome], agent_id=task.agent_id, by="", request=None)


def live():
    """Tasks that were created, claimed, ended each way, put back, cancelled and deleted."""
    channel, agent = make_channel(), make_agent()
    make_tasks(7, channel=channel, type="build")
    end(give(agent, channel), well=True)
    end(give(agent, channel), well=False)
    end(give(agent, channel), well=False, retriable=True)
    dead = Task.objects.get(status="failed")
    transitions.requeue(dead.pk, by="tests")
    let_lease_run_out(give(agent, channel, lease_seconds=1))
    leases.expire_leases()
    transitions.cancel(Task.objects.queued().first().pk, by="tests")
    Task.objects.queued().last().delete()
    make_tasks(3)
    transitions.prioritize(make_task().pk, 7, by="tests")


def test_counts_are_those_of_the_journal_before_and_after_a_fold():
    live()
    before = told()

    assert before == in_the_journal()
    assert tallies.by_status() == statuses()

    fold_all()
    assert TaskTally.objects.filter(hour=tallies.EVER).exists()
    assert told() == before
    assert tallies.by_status() == statuses()

    live()
    assert told() == in_the_journal()
    fold_all()
    assert told() == in_the_journal()
    assert tallies.by_status() == statuses()
    assert tallies.drift() == []


def test_events_are_counted_by_type_and_by_what_came_of_a_try():
    live()

    counted = Counter()
    for row in tallies.read():
        counted[row.type, row.event, row.reason] += row.count

    assert counted["build", "task.claimed", ""] == 4
    assert counted["build", "task.failed", "not_retriable"] == 1
    assert counted["build", "task.retried", "failed"] == 1
    assert counted["build", "task.retried", "expired"] == 1
    assert counted["", "task.created", ""] == 4
    assert counted["", "task.prioritized", ""] == 1


def test_what_is_folded_no_longer_needs_the_journal():
    live()
    before, now = told(), statuses()
    fold_all()

    Event.objects.all().delete()

    assert told() == before
    assert tallies.by_status() == now


def test_every_event_is_also_counted_in_its_hour():
    live()
    fold_all()

    ever, hourly = (
        sorted(rows.values_list(*tallies.KIND.split(", "), "count"))
        for rows in (
            TaskTally.objects.filter(hour=tallies.EVER),
            TaskTally.objects.exclude(hour=tallies.EVER),
        )
    )
    assert ever == hourly


def test_hours_that_are_long_past_are_forgotten_and_nothing_else():
    live()
    fold_all()
    before = told()
    old = timezone.now() - tallies.HOURS_KEPT - timedelta(hours=2)
    TaskTally.objects.exclude(hour=tallies.EVER).update(hour=old)
    TaskTiming.objects.exclude(hour=tallies.EVER).update(hour=old)

    assert tallies.forget_hours() > 0

    assert not TaskTally.objects.exclude(hour=tallies.EVER).exists()
    assert not TaskTiming.objects.exclude(hour=tallies.EVER).exists()
    assert told() == before


@pytest.mark.django_db(transaction=True)
def test_an_event_that_commits_late_is_counted_once():
    channel = make_channel()
    written, go_on = threading.Event(), threading.Event()

    def late():
        try:
            with transaction.atomic():
                make_task(channel)
                written.set()
                assert go_on.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert written.wait(20)
    make_task(channel)  # a higher id that is there before

    for _ in range(3):
        fold_all()
    folded, counted = TallyMark.objects.get().folded, tallies.by_status()["queued"]
    first_seen = Event.objects.filter(type="task.created").earliest("id").pk

    go_on.set()
    thread.join()
    assert counted == 1
    assert folded < Event.objects.filter(type="task.created").earliest("id").pk < first_seen
    assert tallies.by_status()["queued"] == 2
    for _ in range(2):
        fold_all()
    assert tallies.by_status()["queued"] == 2
    assert TallyMark.objects.get().folded == Event.objects.latest("id").pk


@pytest.mark.django_db(transaction=True)
def test_a_long_dump_does_not_hold_the_fold_back_for_ever(monkeypatch):
    monkeypatch.setattr(tallies, "HORIZON", tallies.HORIZON.replace("90 seconds", "0 seconds"))
    reading, go_on = threading.Event(), threading.Event()

    def dump():
        try:
            with transaction.atomic():
                Task.objects.count()
                reading.set()
                assert go_on.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=dump)
    thread.start()
    assert reading.wait(20)
    make_task()

    fold_all()
    go_on.set()
    thread.join()

    assert TallyMark.objects.get().folded == Event.objects.latest("id").pk


@pytest.mark.parametrize(
    ("process", "seconds"),
    [
        ("10, 'INSERT', now() - interval '40 seconds', '7'", 41),
        ("10, 'INSERT', now() - interval '400 seconds', '7'", 401),
        ("10, 'COPY', now() - interval '40 seconds', NULL", 41),
        ("10, 'COPY', now() - interval '400 seconds', NULL", 1),
        ("10, '<insufficient privilege>', NULL::timestamptz, NULL", 91),
        ("NULL, 'autovacuum: VACUUM', now() - interval '40 seconds', NULL", 1),
        ("NULL, '<insufficient privilege>', NULL::timestamptz, NULL", 1),
    ],
)
def test_only_who_may_still_write_an_event_holds_the_fold_back(process, seconds):
    """The server's list of its processes has one row here."""
    listed = (
        "WITH pg_stat_activity (datname, pid, usesysid, query, xact_start, backend_xid)"
        f" AS (SELECT current_database(), 0, {process}) "
    )
    with connection.cursor() as cursor:
        cursor.execute(listed + tallies.HORIZON)
        [horizon] = cursor.fetchone()
        cursor.execute("SELECT now()")
        [now] = cursor.fetchone()

    assert (now - horizon).total_seconds() == pytest.approx(seconds, abs=0.5)


@pytest.mark.django_db(transaction=True)
def test_two_who_fold_at_once_count_each_event_once():
    make_tasks(300)
    fold_all()
    make_tasks(300)

    def fold():
        try:
            fold_all()
        finally:
            connection.close()

    threads = [threading.Thread(target=fold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told() == in_the_journal()


def test_waits_and_runs_are_timed_from_the_first_moment_to_the_last():
    channel, agent = make_channel(), make_agent()
    make_tasks(3, channel=channel)
    Task.objects.update(available_at=Now() - timedelta(seconds=40))
    first, second, _held = (give(agent, channel) for _ in range(3))
    Task.objects.filter(pk=first.pk).update(claimed_at=Now() - timedelta(seconds=7))
    end(first, well=True)
    end(second, well=False, retriable=True)

    fold_all()

    waits, waited = timed("queue")
    runs, ran = timed("run")
    assert (waits, runs) == (3, 2)
    # The first has another time of its claim than the event, and the second none: the journal has.
    assert 40 <= waited < 50
    assert 7 <= ran < 10
    buckets = {(row.phase, row.bucket) for row in tallies.timings()}
    assert ("queue", tallies.BUCKETS.index(60.0)) in buckets
    assert ("run", tallies.BUCKETS.index(10.0)) in buckets


def test_a_task_that_is_gone_before_the_fold_is_timed_by_the_journal():
    task = make_held_task()
    end(task, well=True)
    fresh(task).delete()

    fold_all()

    assert (timed("queue")[0], timed("run")[0]) == (1, 1)


def test_drift_is_found_and_repaired():
    make_tasks(3)
    fold_all()
    TaskTally.objects.filter(hour=tallies.EVER, event="task.created").update(count=F("count") + 2)
    assert tallies.by_status()["queued"] == 5

    [wrong] = tallies.repair(dry_run=True)
    assert (wrong.status, wrong.missing) == ("queued", -2)
    assert tallies.by_status()["queued"] == 5

    assert tallies.repair() == [wrong]
    assert tallies.by_status() == statuses()
    assert tallies.drift() == []


def test_types_beyond_the_most_are_counted_as_other(monkeypatch):
    events = [
        Event(type="task.created", payload={"to": "queued", "type": f"type-{number}"})
        for number in range(tallies.MOST_TYPES + 5)
    ]
    Event.objects.bulk_create(events[:150])
    first = types()
    fold_all()
    assert types() == first
    Event.objects.bulk_create(events[150:])

    before = types()
    fold_all()

    assert types() == before
    assert len(before) == tallies.MOST_TYPES + 1
    assert before["other"] == 5


def types():
    return {row.type: row.count for row in tallies.read()}


def test_events_that_are_not_counted_outlive_the_retention():
    make_task()
    make_tasks(2)
    Event.objects.update(created_at=timezone.now() - timedelta(days=50))
    created = Event.objects.filter(type="task.created")

    retention.purge(timezone.now() - timedelta(days=30))
    assert created.count() == 3

    fold_all()
    retention.purge(timezone.now() - timedelta(days=30))
    assert created.count() == 0
    assert tallies.by_status()["queued"] == 3


def test_reading_walks_the_new_part_of_the_journal_alone(django_db_blocker):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (type, payload) SELECT 'task.created', '{\"to\": \"queued\"}'"
            " FROM generate_series(1, 50000)"
        )
        fold_all()
        cursor.execute("ANALYZE events_event")
        make_tasks(10)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {tallies.BY_STATUS}")
        [(explained,)] = cursor.fetchall()

    assert scans(explained[0]["Plan"]) == []
    assert tallies.by_status()["queued"] == 50_010


def scans(plan):
    """The parts of the journal that are read whole, and have rows."""
    found = []
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"].startswith("events_event"):
        found = [plan] if plan["Actual Rows"] > 1000 else []
    return found + [one for part in plan.get("Plans", []) for one in scans(part)]


def test_counting_is_one_statement():
    with CaptureQueriesContext(connection) as asked:
        tallies.read()
    assert len(asked) == 1
