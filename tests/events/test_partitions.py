"""The journal's partitions are created ahead, and a missing one refuses no event."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import OperationalError, connection, connections, transaction

from events import partitions
from events.models import Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_months")]

NOVEMBER = datetime(2031, 11, 20, tzinfo=UTC)


def table_of(event):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM events_event WHERE id = %s", [event.pk]
        )
        return cursor.fetchone()[0]


def make_event(created_at, **fields):
    return Event.objects.create(type="t", created_at=created_at, **fields)


def test_this_month_and_the_next_two_are_made():
    before = set(partitions.existing())

    assert partitions.ensure(NOVEMBER) == 3
    assert set(partitions.existing()) - before == {
        "events_event_2031_11",
        "events_event_2031_12",
        "events_event_2032_01",
    }


def test_making_them_again_makes_nothing():
    partitions.ensure(NOVEMBER)

    assert partitions.ensure(NOVEMBER) == 0
    assert partitions.ensure(NOVEMBER + timedelta(days=30)) == 1


@pytest.mark.parametrize(
    ("moment", "table"),
    [
        (datetime(2031, 10, 31, 23, 59, 59, 999999, UTC), "events_event_default"),
        (datetime(2031, 11, 1, tzinfo=UTC), "events_event_2031_11"),
        (datetime(2031, 11, 30, 23, 59, 59, 999999, UTC), "events_event_2031_11"),
        (datetime(2031, 12, 1, tzinfo=UTC), "events_event_2031_12"),
        (datetime(2031, 12, 31, 23, 59, 59, 999999, UTC), "events_event_2031_12"),
        (datetime(2032, 1, 1, tzinfo=UTC), "events_event_2032_01"),
        (datetime(2032, 2, 1, tzinfo=UTC), "events_event_default"),
    ],
)
def test_an_event_lands_in_its_month(moment, table):
    partitions.ensure(NOVEMBER)

    assert table_of(make_event(moment)) == table


def test_the_month_is_that_of_utc():
    in_auckland = datetime(2031, 12, 1, 8, tzinfo=timezone(timedelta(hours=13)))

    partitions.ensure(in_auckland)

    assert partitions.existing()[0] == "events_event_2031_11"


def test_rows_that_came_before_their_month_move_into_it():
    early = make_event(datetime(2031, 11, 5, tzinfo=UTC), agent_id="a", payload={"n": 1})
    elsewhere = make_event(datetime(2031, 9, 5, tzinfo=UTC))

    partitions.ensure(NOVEMBER)

    assert table_of(early) == "events_event_2031_11"
    assert table_of(elsewhere) == "events_event_default"
    assert Event.objects.get(agent_id="a").payload == {"n": 1}


def test_ids_go_on_across_months():
    partitions.ensure(NOVEMBER)

    ids = [make_event(NOVEMBER + timedelta(days=20 * n)).pk for n in range(4)]

    assert ids == sorted(set(ids))
    assert list(Event.objects.values_list("pk", flat=True)) == ids[::-1]


def test_every_month_has_the_indexes_of_the_journal():
    partitions.ensure(NOVEMBER)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'events_event_2031_12' ORDER BY 1"
        )
        definitions = " ".join(row[0] for row in cursor.fetchall())

    for columns in ("(id, created_at)", "(agent_id, id)", "(task_id, id)", "(chain_id, id)"):
        assert columns in definitions


def test_many_processes_may_make_them_at_once():
    def ensure(_):
        try:
            return partitions.ensure(NOVEMBER)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        made = sorted(pool.map(ensure, range(6)))

    assert made == [0, 0, 0, 0, 0, 3]


def test_writers_of_an_existing_month_are_not_waited_for():
    partitions.ensure(NOVEMBER)
    with transaction.atomic():
        make_event(NOVEMBER)

        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(in_a_connection_of_its_own, NOVEMBER + timedelta(days=60))
            assert made.result(timeout=20) == 2


def test_a_lock_on_the_default_partition_makes_it_give_up():
    with transaction.atomic():
        make_event(NOVEMBER)  # into the default table, and not committed yet

        with ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError):
            pool.submit(in_a_connection_of_its_own, NOVEMBER).result(timeout=20)

    assert partitions.existing() == []
    assert partitions.ensure(NOVEMBER) == 3


def in_a_connection_of_its_own(moment):
    try:
        return partitions.ensure(moment)
    finally:
        connections.close_all()
