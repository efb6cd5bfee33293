"""Where metrics come from: functions that read them anew for each scrape.

A room above this one that knows something adds its own source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from prometheus_client import Metric

Source = Callable[[], Iterable[Metric]]
Totals = Callable[[datetime, datetime], Mapping[str, float]]
"""Totals of the summary, by their names there, from a moment until before another."""
Providers = Callable[[datetime], Sequence[Mapping[str, object]]]
"""The health of the providers that were called since a moment."""

_sources: list[Source] = []
_totals: list[Totals] = []
_providers: list[Providers] = []


def register(source: Source) -> None:
    """Add a source; its room does so once, when it is loaded."""
    if source not in _sources:
        _sources.append(source)


def all_of_them() -> list[Source]:
    return list(_sources)


def register_totals(totals: Totals) -> None:
    """Add what a room above has to say in the summary's totals."""
    if totals not in _totals:
        _totals.append(totals)


def totals(start: datetime, end: datetime) -> dict[str, float]:
    """What the rooms above say of a time."""
    return {name: value for read in _totals for name, value in read(start, end).items()}


def register_providers(providers: Providers) -> None:
    """Add the health of what a room above calls."""
    if providers not in _providers:
        _providers.append(providers)


def providers(since: datetime) -> list[Mapping[str, object]]:
    """How the providers are that were called since a moment."""
    return [one for read in _providers for one in read(since)]
