"""Which waiting claim is woken next; test_waiting.py tests the same over HTTP."""

import asyncio
import threading

import pytest
from django.db import connection, connections

from tasks import waiting
from tasks.claims import claim
from tasks.models import Task
from tasks.rows import ClaimRequest
from tests.factories import make_channel, make_task, stored

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_no_connection_stays"),
]

SOON = 5.0


@pytest.fixture(autouse=True)
def _no_periodic_checks(monkeypatch):
    monkeypatch.setattr(waiting, "CHECK_AGAIN", 60)


class Failed(Exception):
    pass


class Attempt:
    """The attempts of a waiting claim; the first ones call functions of the test instead."""

    def __init__(self, agent, channel, *first):
        self.request = ClaimRequest(agent, ids=[channel.pk])
        self.first = list(first)
        self.begun = [threading.Event() for _ in range(10)]

    def __call__(self):
        self.begun.pop(0).set()
        if self.first and (found := self.first.pop(0)()) is not None:
            return found
        return stored(claim(self.request))

    def wait(self):
        return waiting.claim(
            self,
            agent_id=self.request.agent_id,
            ids=self.request.ids,
            names=self.request.names,
            seconds=10,
        )


@pytest.fixture
def _no_connection_stays():
    yield
    together = threading.Barrier(waiting.THREADS)

    def close():
        together.wait()
        connections.close_all()

    for closing in [waiting.pool.submit(close) for _ in range(waiting.THREADS)]:
        closing.result()


def nothing():
    return []


def refuse():
    raise Failed


async def test_a_claim_that_fails_wakes_the_next():
    channel = await in_another_thread(make_channel)
    first, second = Attempt("first", channel, nothing, refuse), Attempt("second", channel)
    failing, lucky = await start(first), await start(second)

    task = await in_another_thread(make_task, channel)

    with pytest.raises(Failed):
        await failing
    async with asyncio.timeout(SOON):
        assert await lucky == [task]


async def test_a_claim_that_is_cancelled_during_its_attempt_wakes_the_next():
    channel = await in_another_thread(make_channel)
    held = threading.Event()
    first = Attempt("first", channel, nothing, lambda: held.wait(5) and [])
    leaving, lucky = await start(first), await start(Attempt("second", channel))
    begun = first.begun[0]

    task = await in_another_thread(make_task, channel)
    await asyncio.to_thread(begun.wait, 5)
    leaving.cancel()

    async with asyncio.timeout(SOON):
        assert await lucky == [task]
    held.set()


async def test_a_claim_that_is_woken_while_it_gets_another_task_wakes_the_next():
    channel = await in_another_thread(make_channel)
    held = threading.Event()
    first = Attempt("first", channel, lambda: held.wait(5) and ["something else"])
    waiting_first = asyncio.create_task(first.wait())
    await asyncio.to_thread(first.begun[0].wait, 5)
    lucky = await start(Attempt("second", channel))

    task = await in_another_thread(make_task, channel)
    await asyncio.sleep(0.3)  # it is woken during its attempt
    held.set()

    assert await waiting_first == ["something else"]
    async with asyncio.timeout(SOON):
        assert await lucky == [task]


async def test_a_claim_finds_a_channel_that_is_made_while_it_waits(monkeypatch):
    monkeypatch.setattr(waiting, "CHECK_AGAIN", 0.1)
    attempt = Attempt("first", await in_another_thread(make_channel))
    attempt.request = ClaimRequest("first", names=["Made later"])
    lucky = await start(attempt)

    task = await in_another_thread(lambda: make_task(make_channel("made later")))

    async with asyncio.timeout(SOON):
        assert await lucky == [task]


async def start(attempt):
    """Let the claim wait until its first attempt has begun."""
    begun = attempt.begun[0]
    task = asyncio.create_task(attempt.wait())
    await asyncio.to_thread(begun.wait, 5)
    return task


async def in_another_thread(make, *given):
    def made():
        try:
            return make(*given)
        finally:
            connection.close()

    return await asyncio.to_thread(made)


async def test_a_task_without_a_notification_is_found_by_a_periodic_check(monkeypatch):
    monkeypatch.setattr(waiting, "CHECK_AGAIN", 0.5)
    channel = await in_another_thread(make_channel)
    lucky = await start(Attempt("agent", channel))

    by_hand = Task(title="by hand", channel=channel)
    await in_another_thread(by_hand.save)

    async with asyncio.timeout(SOON):
        assert await lucky == [by_hand]
