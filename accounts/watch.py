"""Whether a caller who waits is still recognized; `watching` looks. It is loaded before Django."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from problems import Unauthorized

if TYPE_CHECKING:
    from accounts.callers import Caller


class NotRecognized(Unauthorized):
    """The credential is not valid any more."""


class Watch:
    """Whether a caller who waits is still recognized."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.is_over = False
        self._calls: dict[Callable[[], None], None] = {}

    @contextmanager
    def calling(self, what: Callable[[], None]) -> Iterator[None]:
        """Call this as soon as the caller is not recognized any more, while the block lasts."""
        self._calls[what] = None
        try:
            yield
        finally:
            del self._calls[what]

    def end(self) -> None:
        self.is_over = True
        for what in list(self._calls):
            what()

    def check(self) -> None:
        """Raise NotRecognized if the caller is not recognized any more."""
        if self.is_over:
            raise NotRecognized


def is_over(watch: Watch | None) -> bool:
    return watch is not None and watch.is_over


@asynccontextmanager
async def calling(watch: Watch | None, what: Callable[[], None]) -> AsyncIterator[None]:
    """`Watch.calling`, where there is a watch."""
    with watch.calling(what) if watch else nullcontext():
        yield
