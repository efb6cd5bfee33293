"""What the three ways to claim cost beside each other: one channel, two, the owner of a chain."""

from contextlib import closing

from benchmarks.growth import (
    ONE_CHANNEL,
    OWNER,
    SMALL,
    TWO_CHANNELS,
    FilledQueue,
    QueueSize,
    claims_of,
    medians,
)
from benchmarks.results import Section, TimeRatio, time_heads
from benchmarks.run import Run

AT_MOST = {TWO_CHANNELS: 2.0, OWNER: 4.0}  # times a claim from one channel


def measure(run: Run) -> list[Section]:
    """The median times over HTTP of claims from a queue of 10,000 tasks, one after the other."""
    size = QueueSize(queued=2_000 if run.quick else SMALL, finished=0)
    with (
        run.coordinator("paths") as (coordinator, db),
        closing(FilledQueue(coordinator, db, size)) as filled,
    ):
        kinds = filled.kinds()
        times = medians({name: kinds[name] for name in (ONE_CHANNEL, *AT_MOST)}, claims_of(run))
    ratios = [
        TimeRatio(name, times[ONE_CHANNEL], times[name], at_most)
        for name, at_most in AT_MOST.items()
    ]
    return [Section(time_heads("claim path", "one channel", "this path"), ratios)]
