"""Whether this process is about to stop, for code that would otherwise keep it running.

A stream or a waiting claim races its wait against `shutdown.wait()`, or checks `has_begun()`.
"""

import asyncio
from weakref import WeakKeyDictionary


class _Shutdown:
    def __init__(self) -> None:
        self.begun = False
        self.waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event]
        self.waiting = WeakKeyDictionary()


_shutdown = _Shutdown()


def begin() -> None:
    """Wake all who wait for the shutdown. May be called by a signal handler."""
    _shutdown.begun = True
    for loop, event in list(_shutdown.waiting.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)


def has_begun() -> bool:
    return _shutdown.begun


async def wait() -> None:
    """Return once the process is about to stop; cancel it if something else happens first."""
    loop = asyncio.get_running_loop()
    event = _shutdown.waiting.setdefault(loop, asyncio.Event())
    if _shutdown.begun:
        return
    await event.wait()


def reset() -> None:
    """Forget the shutdown; only tests go on after one."""
    _shutdown.begun = False
    _shutdown.waiting.clear()
