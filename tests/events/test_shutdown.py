import asyncio
import os
import signal

import pytest

from events import shutdown


@pytest.fixture(autouse=True)
def living():
    yield
    shutdown.reset()


async def test_a_shutdown_ends_the_wait():
    waiting = asyncio.create_task(shutdown.wait())
    await asyncio.sleep(0)
    assert not shutdown.has_begun()
    assert not waiting.done()

    shutdown.begin()
    await asyncio.wait_for(waiting, 5)

    assert shutdown.has_begun()


async def test_after_the_shutdown_nobody_waits():
    shutdown.begin()

    await asyncio.wait_for(shutdown.wait(), 5)


async def test_it_may_begin_in_a_handler_of_a_signal():
    before = signal.signal(signal.SIGUSR1, lambda number, frame: shutdown.begin())
    try:
        waiting = asyncio.create_task(shutdown.wait())
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGUSR1)

        await asyncio.wait_for(waiting, 5)
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_a_cancelled_wait_does_not_disturb_others():
    given_up = asyncio.create_task(shutdown.wait())
    other = asyncio.create_task(shutdown.wait())
    await asyncio.sleep(0)
    given_up.cancel()

    shutdown.begin()

    await asyncio.wait_for(other, 5)
