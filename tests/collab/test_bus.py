"""The bus of one process: what it looks up, and readers that fall behind."""

import asyncio
import json
from datetime import timedelta

import pytest
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.utils import timezone

from accounts.callers import TOKEN
from collab import bus
from collab.consumers import BEHIND, Realtime
from events.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

BUS = "system:events"
WITHIN = 10


@pytest.fixture(autouse=True)
async def _no_connection_is_left(transactional_db):
    await bus.thread.run(begin_long_ago)
    yield
    await bus.thread.run(lambda: connection.close())


def begin_long_ago():
    """Give the journal an event that is older than all that a test asks for."""
    long_ago = timezone.now() - timedelta(hours=1)
    Event.objects.create(type="old.one", created_at=long_ago)


def write_event(type_="channel.paused", **fields):
    written = Event.objects.create(type=type_, payload={"name": type_}, **fields)
    connection.close()
    return written.pk


async def greeted(subscriber):
    async with asyncio.timeout(WITHIN):
        return await subscriber.next()


async def test_only_what_somebody_watches_is_looked_up(monkeypatch):
    asked = []
    monkeypatch.setattr(bus, "read", lambda ids: asked.append(ids) or [])
    async with bus.join() as subscriber:
        await greeted(subscriber)
        with bus.here().watching(["agents:mine"]):
            await asyncio.to_thread(write_event, "agent.drained", agent_id="another")
            await greeted(subscriber)
            number = await asyncio.to_thread(write_event, "agent.drained", agent_id="mine")
            await greeted(subscriber)

    assert asked == [[number]]
    assert not bus.here().watched


async def test_an_event_is_encoded_once_for_all_who_watch():
    async with bus.join() as one, bus.join() as two:
        await greeted(one), await greeted(two)
        with bus.here().watching([BUS]), bus.here().watching([BUS]):
            await asyncio.to_thread(write_event)
            first, second = await greeted(one), await greeted(two)

    assert first is second
    [told] = first.told[BUS]
    assert json.loads(told.text)["type"] == "channel.paused"


class SlowRealtime(Realtime):
    """Its client does not read events until it is let."""

    let: asyncio.Event

    async def send(self, text_data=None, bytes_data=None, close=False):
        if text_data and '"type":"event"' in text_data:
            await self.let.wait()
        await super().send(text_data, bytes_data, close)


async def opened(kind, query):
    communicator = WebsocketCommunicator(kind.as_asgi(), f"/realtime/v1/websocket?{query}")
    communicator.scope |= {"auth": TOKEN, "problem": None}
    assert (await communicator.connect())[0]
    return communicator


async def received(communicator):
    message = await communicator.receive_output(WITHIN)
    if message["type"] == "websocket.close":
        return message["code"]
    return json.loads(message["text"])


async def test_a_reader_that_falls_behind_is_sent_away_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(bus, "MOST_DELIVERIES", 2)
    SlowRealtime.let = asyncio.Event()
    slow = await opened(SlowRealtime, f"channel={BUS}")
    greeting, subscribed = await received(slow), await received(slow)
    assert (greeting["type"], subscribed["type"]) == ("hello", "subscribed")
    async with bus.join() as quick:
        await greeted(quick)
        for number in range(6):
            await asyncio.to_thread(write_event, f"channel.of-{number}")
            await greeted(quick)
    SlowRealtime.let.set()
    heard = []
    while not isinstance(message := await received(slow), int):
        heard.append(message)
    await slow.disconnect()
    assert message == BEHIND[0]
    assert len(heard) < 6

    again = await opened(Realtime, f"channel={BUS}&after={heard[-1]['cursor']}")
    while len(heard) < 6:
        message = await received(again)
        heard += [message] if message["type"] == "event" else []
    await again.disconnect()

    assert [one["event"]["type"] for one in heard] == [f"channel.of-{n}" for n in range(6)]
    assert not bus.here().watched
