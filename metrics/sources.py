"""Where metrics come from: functions that read them anew for each scrape.

A room above this one that knows something adds its own source.
"""

from collections.abc import Callable, Iterable

from prometheus_client import Metric

Source = Callable[[], Iterable[Metric]]

_sources: list[Source] = []


def register(source: Source) -> None:
    """Add a source; its room does so once, when it is loaded."""
    if source not in _sources:
        _sources.append(source)


def all_of_them() -> list[Source]:
    return list(_sources)
