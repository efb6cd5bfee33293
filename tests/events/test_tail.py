import asyncio
import os
import signal
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from random import Random

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections

from events import direct, shutdown, tail
from events.gaps import Gaps
from events.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_journal_that_began_long_ago(transactional_db):
    with another_connection() as one:
        one.execute(
            "INSERT INTO events_event (type, created_at) VALUES ('old.one', now() - interval '1 h')"
        )


@contextmanager
def another_connection():
    """A writer beside Django's, who commits when the test says so."""
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    kept = {name: value for name, value in given.items() if name not in direct.OF_DJANGO}
    with psycopg.connect(**kept) as one:
        yield one


def write(one, *types, agent_id=None):
    """Write events without committing them; their ids."""
    return [
        one.execute(
            "INSERT INTO events_event (type, agent_id) VALUES (%s, %s) RETURNING id",
            [type_, agent_id],
        ).fetchone()[0]
        for type_ in types
    ]


def write_now(*types):
    with another_connection() as one:
        return write(one, *types)


async def heard(subscriber, within=30.0):
    """The types and cursor of the next batch."""
    async with asyncio.timeout(within):
        batch = await subscriber.next()
    return [row.type for row in batch.rows], batch.cursor


async def greeted(subscriber):
    types, cursor = await heard(subscriber)
    assert types == []
    return cursor


async def test_what_happens_is_told_to_all_who_watch():
    async with tail.watch() as one, tail.watch() as two:
        await greeted(one)
        await greeted(two)
        number = write_now("task.created")[0]

        first, second = await one.next(), await two.next()

    assert first is second
    assert [row.id for row in first.rows] == [number]
    assert first.cursor == number


async def test_what_happened_before_one_watches_is_not_told():
    last = write_now("task.created", "task.claimed")[-1]

    async with tail.watch() as subscriber:
        cursor = await greeted(subscriber)

    assert cursor == last


async def test_a_lower_id_that_is_committed_later_is_told_later_and_holds_the_cursor_back():
    with another_connection() as slow:
        async with tail.watch() as subscriber:
            start = await greeted(subscriber)
            low = write(slow, "slow.one")[0]
            high = write_now("quick.one")[0]

            assert await heard(subscriber) == (["quick.one"], low - 1)
            slow.commit()
            assert await heard(subscriber) == (["slow.one"], high)

    assert low < high
    assert low - 1 >= start


async def test_an_event_of_a_transaction_that_ran_before_one_watched_is_told():
    with another_connection() as slow:
        low = write(slow, "slow.one")[0]
        write_now("quick.one")
        async with tail.watch() as subscriber:
            assert await greeted(subscriber) == low - 1

            slow.commit()

            assert (await heard(subscriber))[0] == ["slow.one"]


async def test_what_was_rolled_back_holds_the_cursor_for_a_while_only(monkeypatch):
    monkeypatch.setattr(tail, "ROLLED_BACK_AFTER", 0.5)
    with another_connection() as failing:
        async with tail.watch() as subscriber:
            await greeted(subscriber)
            low = write(failing, "never.happened")[0]
            failing.rollback()
            write_now("first.one")
            assert await heard(subscriber) == (["first.one"], low - 1)

            async with asyncio.timeout(30):
                while (last := write_now("next.one")[0]) != (await heard(subscriber))[1]:
                    await asyncio.sleep(0.1)

    assert last > low


async def test_whoever_goes_on_from_a_cursor_hears_what_was_missed_at_once():
    first, second, third = write_now("one.happened", "two.happened", "three.happened")

    async with tail.watch(since=first) as subscriber:
        assert await heard(subscriber) == (["two.happened", "three.happened"], third)
    async with tail.watch(since=second) as subscriber:
        assert await heard(subscriber) == (["three.happened"], third)
    async with tail.watch(since=third) as subscriber:
        assert await heard(subscriber) == ([], third)


async def test_a_cursor_that_a_running_transaction_held_back_misses_nothing():
    with another_connection() as slow:
        async with tail.watch() as subscriber:
            await greeted(subscriber)
            write(slow, "slow.one")
            write_now("quick.one")
            _, cursor = await heard(subscriber)
        slow.commit()

        async with tail.watch(since=cursor) as subscriber:
            assert (await heard(subscriber))[0] == ["slow.one", "quick.one"]


async def test_a_cursor_older_than_the_journal_is_told_that_there_is_more():
    numbers = write_now(*["one.happened"] * 5)
    await asyncio.to_thread(forget_up_to, numbers[2])

    assert not await is_complete(since=numbers[0])
    assert not await is_complete(since=numbers[1])
    assert await is_complete(since=numbers[2])
    assert await is_complete(since=numbers[3])


async def test_a_cursor_that_the_journal_never_came_to_is_told_that_there_is_more():
    last = write_now("one.happened")[0]

    assert await is_complete(since=last)
    assert not await is_complete(since=last + 1)
    assert not await is_complete(since=2**63 - 1)


async def test_a_cursor_from_too_long_ago_is_told_that_there_is_more(monkeypatch):
    monkeypatch.setattr(tail, "MOST_ROWS", 3)
    monkeypatch.setattr(tail, "SINCE", tail.SINCE.replace("5001", "4"))
    numbers = write_now(*["one.happened"] * 5)

    assert not await is_complete(since=numbers[0])
    assert await is_complete(since=numbers[1])


def forget_up_to(number):
    Event.objects.filter(pk__lte=number).delete()
    connection.close()


async def is_complete(since):
    async with tail.watch(since) as subscriber, asyncio.timeout(30):
        return (await subscriber.next()).complete


async def test_one_who_is_slow_is_left_behind_and_goes_on_from_the_last_cursor(monkeypatch):
    monkeypatch.setattr(tail, "MOST_BATCHES", 2)
    async with tail.watch() as slow, tail.watch() as quick:
        await greeted(quick)
        for number in range(4):
            write_now(f"number.{number}")
            await heard(quick)

        cursor = await greeted(slow)
        assert (await heard(slow))[0] == ["number.0"]
        assert await slow.next() is None
        write_now("number.4")
        assert (await heard(quick))[0] == ["number.4"]

    async with tail.watch(since=cursor) as again:
        assert (await heard(again))[0] == [f"number.{number}" for number in range(5)]


async def test_nothing_is_lost_when_the_database_drops_every_connection(monkeypatch):
    monkeypatch.setattr(tail, "BREATH", 0.2)
    async with tail.watch() as subscriber:
        await greeted(subscriber)
        with another_connection() as admin:
            ended = admin.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()[0]
            write(admin, "while.away")

        assert ended > 0
        assert (await heard(subscriber))[0] == ["while.away"]


def frozen(query):
    """Stop the backends of this test's database whose last statement is like that; their ids."""
    with another_connection() as admin:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND query LIKE %s",
            [query],
        ).fetchall()
    for (pid,) in found:
        os.kill(pid, signal.SIGSTOP)
    return [pid for (pid,) in found]


async def test_a_follower_whose_backend_stands_still_reads_on_on_another(monkeypatch):
    monkeypatch.setattr(direct, "ANSWER_WITHIN", 0.5)
    monkeypatch.setattr(tail, "BREATH", 0.1)
    async with tail.watch() as subscriber:
        await greeted(subscriber)
        assert tail.behind() < 5
        stopped = await asyncio.to_thread(frozen, "%FROM events_event WHERE id >%")
        try:
            assert stopped
            before = tail.behind()
            await asyncio.sleep(0.3)
            assert tail.behind() > before + 0.2, "it says so meanwhile"
            write_now("while.frozen")

            assert (await heard(subscriber))[0] == ["while.frozen"]
            assert tail.behind() < 5
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    assert tail.behind() is None


async def test_a_follower_waits_longer_each_time_for_a_slow_server(monkeypatch):
    waits = []

    @asynccontextmanager
    async def slow(answer_within):
        waits.append(answer_within)
        raise psycopg.OperationalError
        yield

    monkeypatch.setattr(direct, "connect", slow)
    monkeypatch.setattr(tail, "BREATH", 0)
    async with tail.watch(), asyncio.timeout(30):
        while len(waits) < 5:
            await asyncio.sleep(0.01)

    assert waits[:5] == [5, 10, 20, 30, 30]


async def test_nobody_reads_the_journal_while_nobody_watches():
    async with tail.watch() as one:
        await greeted(one)
        async with tail.watch() as two:
            await greeted(two)
        assert followers() == 1
    assert followers() == 0

    async with tail.watch() as again:
        await greeted(again)
        assert followers() == 1


def followers():
    return sum(task.get_name() == "journal" for task in asyncio.all_tasks())


@pytest.fixture
def _shutdown():
    yield
    shutdown.reset()


@pytest.mark.usefixtures("_shutdown")
async def test_those_who_watch_are_let_go_when_the_process_stops():
    async with tail.watch() as subscriber:
        await greeted(subscriber)

        shutdown.begin()

        async with asyncio.timeout(30):
            assert await subscriber.next() is None


async def test_every_event_of_many_writers_is_told_and_no_cursor_is_ahead_of_one(monkeypatch):
    random = Random(7)  # noqa: S311
    seen, cursors, committed = [], [], set()

    async def listen(subscriber):
        while batch := await subscriber.next():
            unknown = {row.id for row in batch.rows} - set(seen)
            # All that comes now must lie above all cursors given out before.
            assert not cursors or min(unknown, default=cursors[-1] + 1) > cursors[-1]
            seen.extend(row.id for row in batch.rows)
            cursors.append(batch.cursor)

    def work(seed):
        mine = Random(seed)  # noqa: S311
        with another_connection() as one:
            for _ in range(40):
                numbers = write(one, *["one.happened"] * mine.randint(1, 3))
                one.execute("SELECT pg_sleep(%s)", [mine.random() / 50])
                if mine.random() < 0.3:
                    one.rollback()
                else:
                    one.commit()
                    committed.update(numbers)

    monkeypatch.setattr(tail, "TICK", 0.02)
    async with tail.watch() as subscriber:
        await greeted(subscriber)
        listening = asyncio.create_task(listen(subscriber))
        await asyncio.gather(*(asyncio.to_thread(work, random.random()) for _ in range(4)))
        async with asyncio.timeout(30):
            while not committed <= set(seen):
                assert not listening.done(), listening.result()
                await asyncio.sleep(0.02)
        listening.cancel()

    assert sorted(seen) == sorted(committed)
    assert all(one <= other for one, other in pairwise(cursors))


def test_a_gap_closes_from_both_ends_and_in_the_middle():
    gaps = Gaps(10)

    gaps.see([20], now=0)
    gaps.see([11, 15, 19, 25], now=1)

    assert [(gap.low, gap.high) for gap in gaps.missing] == [(12, 14), (16, 18), (21, 24)]
    assert gaps.low_water == 11
    gaps.see([12, 13, 14, 16, 17, 18], now=2)
    assert gaps.low_water == 20
    gaps.forget(before=0)
    assert gaps.low_water == 20
    gaps.forget(before=1)
    assert gaps.low_water == gaps.highest == 25
