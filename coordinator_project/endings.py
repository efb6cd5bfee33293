"""What a process of `serve` does last: it ends by a signal, without `atexit`."""

import threading
from collections.abc import Callable

LEAVE = 1.0  # seconds for each

_last: list[Callable[[], object]] = []


def add(do: Callable[[], object]) -> None:
    """Call it when this process ends; it is left alone when it takes longer than LEAVE."""
    _last.append(do)


def run() -> None:
    for do in _last:
        thread = threading.Thread(target=do, name="ending", daemon=True)
        thread.start()
        thread.join(LEAVE)
