"""Old events are removed: whole months at once, the rest in batches."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import partitions, retention
from events.models import Event, EventKey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_months")]

JULY = datetime(2031, 7, 10, tzinfo=UTC)
OCTOBER = datetime(2031, 10, 10, tzinfo=UTC)
MONTHS = ["events_event_2031_07", "events_event_2031_08", "events_event_2031_09"]


def make_event(created_at):
    return Event.objects.create(type="t", created_at=created_at)


def left():
    return sorted(event.created_at for event in Event.objects.all())


def test_whole_months_are_dropped_and_the_rest_is_deleted():
    partitions.ensure(JULY)
    partitions.ensure(OCTOBER)
    for moment in (JULY, datetime(2031, 9, 30, 23, 59, tzinfo=UTC)):
        make_event(moment)
    young = [OCTOBER, OCTOBER + timedelta(seconds=1)]
    for moment in [OCTOBER - timedelta(seconds=1), *young]:
        make_event(moment)

    gone = retention.purge(OCTOBER)

    assert gone == retention.PurgedEvents(months=MONTHS, events=1, keys=0)
    assert left() == young
    assert partitions.existing()[0] == "events_event_2031_10"


def test_whole_months_are_dropped_without_counting_them():
    partitions.ensure(JULY)
    for _ in range(3):
        make_event(JULY)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events_event_2031_07")

    with CaptureQueriesContext(connection) as asked:
        gone = retention.purge(OCTOBER)

    assert (gone.months, gone.events, gone.estimated) == (MONTHS, 0, 3)
    read = [query["sql"] for query in asked.captured_queries if "2031_07" in query["sql"]]
    assert not [sql for sql in read if "count(" in sql and "reltuples" not in sql]


def test_a_month_is_dropped_when_its_last_instant_is_too_old():
    partitions.ensure(JULY)

    assert retention.purge(datetime(2031, 7, 31, 23, 59, 59, 999999, UTC)).months == []
    assert retention.purge(datetime(2031, 8, 1, tzinfo=UTC)).months == ["events_event_2031_07"]


@pytest.mark.parametrize("batch", [1, 2, 5, 6, 100])
def test_batches_of_any_size_leave_nothing_behind(batch):
    for n in range(5):
        make_event(JULY - timedelta(days=n))
    young = make_event(OCTOBER)

    assert retention.purge(OCTOBER, batch=batch).events == 5
    assert list(Event.objects.all()) == [young]


def test_used_up_keys_of_that_age_go_too():
    for n, created_at in enumerate([JULY, OCTOBER]):
        EventKey.objects.create(agent_id="a", key=str(n), event_id=n, created_at=created_at)

    assert retention.purge(OCTOBER).keys == 1
    assert EventKey.objects.get().key == "1"


def test_a_dry_run_counts_and_removes_nothing():
    partitions.ensure(JULY)
    make_event(JULY)
    make_event(JULY - timedelta(days=365))
    EventKey.objects.create(agent_id="a", key="k", event_id=1, created_at=JULY)

    gone = retention.purge(OCTOBER, dry_run=True)

    assert gone == retention.PurgedEvents(months=MONTHS, events=1, keys=1)
    assert (Event.objects.count(), EventKey.objects.count()) == (2, 1)
    assert partitions.existing() == MONTHS


def test_a_locked_month_is_left_for_the_next_time():
    partitions.ensure(JULY)
    with transaction.atomic():
        make_event(JULY)
        with ThreadPoolExecutor(1) as pool:
            gone = pool.submit(purge_in_a_connection_of_its_own).result(timeout=30)
        assert "events_event_2031_07" not in gone.months

    assert retention.purge(OCTOBER).months[0] == "events_event_2031_07"
    assert not Event.objects.exists()


def purge_in_a_connection_of_its_own():
    try:
        return retention.purge(OCTOBER)
    finally:
        connections.close_all()


def test_the_setting_decides_what_the_loop_removes(settings):
    make_event(timezone.now() - timedelta(days=31))
    make_event(timezone.now() - timedelta(days=29))

    settings.EVENT_RETENTION = timedelta(0)
    assert retention.enforce() == 0
    settings.EVENT_RETENTION = timedelta(days=30)
    assert retention.enforce() == 1
    assert Event.objects.count() == 1


def purge(*args):
    out = StringIO()
    call_command("purge", *args, stdout=out)
    return out.getvalue().strip()


def test_the_command_prints_what_it_removed():
    make_event(timezone.now() - timedelta(days=8))

    assert purge("--days", "7", "--dry-run") == "Would remove 1 events and 0 used keys."
    assert purge("--days", "9") == "Removed 0 events and 0 used keys."
    assert purge("--days", "7") == "Removed 1 events and 0 used keys."


def test_the_command_knows_when_retention_is_off():
    make_event(timezone.now() - timedelta(days=9999))

    assert purge("--days", "0") == "Retention is off: nothing was purged."
    assert Event.objects.count() == 1


def test_the_command_refuses_a_negative_age():
    with pytest.raises(CommandError, match="must be from 0 to"):
        purge("--days", "-1")
