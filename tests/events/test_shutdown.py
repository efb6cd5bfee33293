import asyncio
import os
import signal

import pytest

from events import shutdown


@pytest.fixture(autouse=True)
def living():
    yield
    shutdown.reset()


async def test_who_waits_goes_on_when_the_process_is_about_to_stop():
    waiting = asyncio.create_task(shutdown.wait())
    await asyncio.sleep(0)
    assert not shutdown.has_begun()
    assert not waiting.done()

    shutdown.begin()
    await asyncio.wait_for(waiting, 5)

    assert shutdown.has_begun()


async def test_who_comes_late_does_not_wait():
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


async def test_a_wait_that_was_given_up_holds_nobody_else_up():
    given_up = asyncio.create_task(shutdown.wait())
    other = asyncio.create_task(shutdown.wait())
    await asyncio.sleep(0)
    given_up.cancel()

    shutdown.begin()

    await asyncio.wait_for(other, 5)
