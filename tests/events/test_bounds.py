"""No transaction lives longer than the stream remembers what is missing, but those it waits for."""

import asyncio
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import Error, connection, connections, transaction

from events import bounds, tail
from jobs import transitions as jobs
from tests.coordinator_project.running import eventually
from tests.events.test_tail import another_connection, greeted, heard, write, write_now
from tests.factories import make_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bounded(monkeypatch):
    """A connection that was opened with this bound, in seconds."""

    def open_with(seconds):
        monkeypatch.setattr(bounds, "LONGEST", timedelta(seconds=seconds))
        connection.close()

    yield open_with
    connection.close()


def one(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_the_bound_is_below_what_the_stream_remembers():
    default = timedelta(seconds=50)

    assert default.total_seconds() < tail.ROLLED_BACK_AFTER
    assert bounds.setting(default) == "SET transaction_timeout = 50000"


def test_every_connection_has_the_bound(bounded):
    bounded(50)

    assert one("SHOW transaction_timeout") == "50s"


def test_a_transaction_that_takes_too_long_is_ended(bounded):
    bounded(0.3)

    with pytest.raises(Error, match="transaction timeout"), transaction.atomic():
        one("SELECT pg_sleep(0.1)") or one("SELECT pg_sleep(5)")
    connections.close_all()

    assert one("SELECT 1") == 1


def test_one_that_may_take_long_is_not(bounded):
    bounded(0.5)

    with transaction.atomic():
        bounds.extend()
        one("SELECT pg_sleep(0.8)")
        assert one("SHOW transaction_timeout") == "15min"
        assert one("SHOW application_name") == bounds.MARK

    assert one("SHOW transaction_timeout") == "500ms"
    assert one("SHOW application_name") != bounds.MARK


@pytest.mark.parametrize("verb", [jobs.cancel, jobs.retry_failed, jobs.delete])
def test_verbs_on_whole_jobs_may_take_long(verb, bounded):
    job = make_job()
    bounded(50)

    with transaction.atomic():
        verb(job.pk, by="tests")
        assert one("SHOW transaction_timeout") == "15min"


def test_migrations_have_no_bound(bounded, monkeypatch):
    bounded(50)
    seen = []
    monkeypatch.setattr(
        "django.core.management.commands.migrate.Command.handle",
        lambda *args, **options: seen.append(one("SHOW transaction_timeout")),
    )

    call_command("migrate", verbosity=0)

    assert seen == ["0"]
    assert one("SHOW transaction_timeout") == "50s"


def test_where_the_server_does_not_end_them_the_loop_does():
    with another_connection() as slow, another_connection() as long, another_connection() as new:
        slow.execute("SELECT 1")
        long.execute(f"SET LOCAL application_name = '{bounds.MARK}'")
        time.sleep(0.5)
        new.execute("SELECT 1")

        assert bounds.end_older_than(timedelta(seconds=0.4)) == 1

        eventually(lambda: not sessions(slow))
        assert sessions(long)
        assert sessions(new)
        long.rollback()
        new.rollback()
        slow.close()


def sessions(of):
    return one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {of.info.backend_pid}")  # noqa: S608


@pytest.fixture
def old_journal(transactional_db):
    with another_connection() as writer:
        writer.execute(
            "INSERT INTO events_event (type, created_at) VALUES ('old.one', now() - interval '1 h')"
        )


@pytest.mark.usefixtures("old_journal")
async def test_the_stream_waits_for_a_transaction_that_may_take_long(monkeypatch):
    monkeypatch.setattr(tail, "ROLLED_BACK_AFTER", 0.5)
    with another_connection() as long:
        async with tail.watch() as subscriber:
            await greeted(subscriber)
            low = write(long, "long.one")[0]
            write_now("first.one")
            assert await heard(subscriber) == (["first.one"], low - 1)
            await asyncio.sleep(1.5)
            write_now("next.one")
            assert await heard(subscriber) == (["next.one"], low - 1)

            long.commit()

            types, cursor = await heard(subscriber)
    assert types == ["long.one"]
    assert cursor > low


@pytest.mark.usefixtures("old_journal")
async def test_whoever_begins_to_watch_meanwhile_hears_of_it_too():
    with another_connection() as long:
        low = write(long, "long.one")[0]
        with another_connection() as other:
            other.execute(
                "INSERT INTO events_event (type, created_at) VALUES"
                " ('between', (SELECT min(xact_start) FROM pg_stat_activity"
                "   WHERE state = 'idle in transaction') - interval '80 s')"
            )
        async with tail.watch() as subscriber:
            assert await greeted(subscriber) == low - 1

            long.commit()

            assert (await heard(subscriber))[0] == ["long.one"]
