"""Stream slots: one process serves a limited number of streams and sockets at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from problems import Unavailable

_taken: set[object] = set()


def check() -> None:
    """Refuse if all slots of this process are taken."""
    if len(_taken) >= settings.MAX_STREAMS:
        raise Unavailable("Too many streams are open here; try again later.")


@contextmanager
def taken() -> Iterator[None]:
    """Take a slot for as long as the block lasts."""
    slot = object()
    _taken.add(slot)
    try:
        yield
    finally:
        _taken.remove(slot)
