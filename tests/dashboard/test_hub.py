import asyncio
import json
from contextlib import aclosing

import pytest
from django.db import connection

from dashboard import hub
from events.models import Event
from events.subscribers import follow

pytestmark = pytest.mark.django_db(transaction=True)


def number_from_one():
    """Start the ids as in a new journal: an emptied one does not know which events it lacks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('events_event', 'id'), 1, false)")


@pytest.fixture(autouse=True)
async def _no_connection_is_left(transactional_db):
    await hub.thread.run(number_from_one)
    yield
    await hub.thread.run(lambda: connection.close())


def write_event(task_id):
    Event.objects.create(type="task.created", task_id=task_id)
    connection.close()


def events_of(message):
    return [event["task_id"] for event in json.loads(message.text).get("events", [])]


async def receive(subscriber, task_id):
    async with asyncio.timeout(20):
        while task_id not in events_of(await subscriber.next()):
            pass


async def test_a_subscriber_that_does_not_read_loses_nothing_and_does_not_slow_others(monkeypatch):
    monkeypatch.setattr(hub, "MOST_MESSAGES", 2)
    monkeypatch.setattr(hub, "GATHER", 0.0)
    written = [f"{number:032x}" for number in range(5)]
    async with aclosing(follow(hub.join, None)) as slow, hub.join() as quick:
        await anext(slow)
        await quick.next()
        for task_id in written:
            await asyncio.to_thread(write_event, task_id)
            await receive(quick, task_id)

        seen = []
        async with asyncio.timeout(20):
            while seen != written:
                seen += events_of(await anext(slow))
                assert len(seen) <= len(written)


async def test_the_queue_of_a_subscriber_that_does_not_read_is_bounded(monkeypatch):
    monkeypatch.setattr(hub, "MOST_MESSAGES", 2)
    monkeypatch.setattr(hub, "GATHER", 0.0)
    async with hub.join() as slow, hub.join() as quick:
        await quick.next()
        for number in range(4):
            await asyncio.to_thread(write_event, f"{number:032x}")
            await receive(quick, f"{number:032x}")

        assert not slow.is_open
        assert [await slow.next() is None for _ in range(3)] == [False, False, True]


async def test_subscribers_that_continue_from_one_cursor_share_one_message():
    async with hub.join() as first:
        cursor = (await first.next()).cursor
        await asyncio.to_thread(write_event, "0" * 32)
        await receive(first, "0" * 32)

        async with hub.join(cursor) as one, hub.join(cursor) as other:
            assert await one.next() is await other.next()


async def test_a_message_is_one_object_for_all_subscribers():
    async with hub.join() as one, hub.join() as other:
        await one.next()
        await other.next()
        await asyncio.to_thread(write_event, "0" * 32)

        assert await one.next() is await other.next()
