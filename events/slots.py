"""Stream slots: one process serves a limited number of streams and sockets at a time.

Of a holder who is named, no more than some: so one user cannot take them all. It is loaded before
Django.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings

from problems import TooMany, Unavailable

if TYPE_CHECKING:
    from accounts.callers import Caller

RETRY_AFTER = 5

_taken: Counter[str] = Counter()


def check(holder: str = "") -> None:
    """Refuse if all slots of this process are taken, or as many as this holder may have."""
    if _taken.total() >= settings.MAX_STREAMS:
        raise Unavailable("Too many streams are open here; try again later.")
    if holder and _taken[holder] >= settings.MAX_STREAMS_OF_ONE:
        raise TooMany(
            f"You have {settings.MAX_STREAMS_OF_ONE} streams open here; close some.",
            retry_after=RETRY_AFTER,
        )


def holder_of(caller: Caller) -> str:
    """Whose streams are counted together: those of a user by any token; "" for nobody's."""
    return str(caller.user_id or caller.counted_as)


def count() -> int:
    """How many slots of this process are taken."""
    return _taken.total()


@contextmanager
def taken(holder: str = "") -> Iterator[None]:
    """Take a slot for as long as the block lasts."""
    _taken[holder] += 1
    try:
        yield
    finally:
        _taken[holder] -= 1
        if not _taken[holder]:
            del _taken[holder]
