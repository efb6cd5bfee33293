"""Who watches here: one process serves only so many at a time, whichever way they watch."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from problems import Unavailable

_taken: set[object] = set()


def check() -> None:
    """Refuse another one when this process has as many as it may."""
    if len(_taken) >= settings.MAX_STREAMS:
        raise Unavailable("Too many streams are open here; try again later.")


@contextmanager
def taken() -> Iterator[None]:
    """A seat, for as long as the block lasts."""
    seat = object()
    _taken.add(seat)
    try:
        yield
    finally:
        _taken.remove(seat)
