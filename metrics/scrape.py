"""One scrape: all sources, and what the processes of this `serve` saw, as text for Prometheus."""

import os
from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from metrics import counted, present, sources

OURS = ("coordinator_", "cogo_", "search_", "indexing_", "embedding_")
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of prometheus-client that names the folder that processes share."""


class Sources(Collector):
    """Reads every source anew."""

    def collect(self) -> Iterable[Metric]:
        for source in (counted.collect, present.collect, *sources.all_of_them()):
            yield from source()


class OwnProcess(Collector):
    """What this process alone has seen, where no folder is shared."""

    def collect(self) -> Iterator[Metric]:
        yield from (metric for metric in REGISTRY.collect() if metric.name.startswith(OURS))


def text() -> bytes:
    """All metrics as of now."""
    registry = CollectorRegistry()
    registry.register(Sources())
    registry.register(of_processes())
    return generate_latest(registry)


def of_processes() -> Collector:
    """What the processes have seen that no row tells; lost when they are all started again."""
    if os.environ.get(FOLDER):
        return MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    return OwnProcess()
