"""The messages of all pages, compared with the journal: how late each event was, what was lost."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.dashboards.page import Message
from benchmarks.results import percentile

Received = Sequence[tuple[float, Message]]


@dataclass(frozen=True)
class Delivery:
    """Of all events and pages together: how late, in seconds, and how many never came."""

    pages: int
    events: int
    median: float
    late: float  # the 99th percentile
    worst: float
    lost: int
    stale: int  # messages by which a page has to read the events anew
    again: int  # pages that connected a second time


def judge(pages: Iterable[Received], journal: Collection[int], *, again: int = 0) -> Delivery:
    """Each page has to receive every event of the journal; the first time counts."""
    delays: list[float] = []
    lost = stale = count = 0
    for received in pages:
        count += 1
        missing = set(journal)
        for arrived, message in received:
            stale += message.is_stale
            for number, made_at in zip(message.ids, message.made_at, strict=True):
                if number in missing:
                    missing.remove(number)
                    delays.append(arrived - made_at)
        lost += len(missing)
    delays.sort()
    return Delivery(
        count,
        len(journal),
        percentile(delays, 0.5),
        percentile(delays, 0.99),
        percentile(delays, 1.0),
        lost,
        stale,
        again,
    )
