"""What a process sees that no row tells: requests, claims, conflicts, renewals, clients that wait.

prometheus-client keeps it in files of one folder, which all processes of a `serve` share and any of
them can read. The files are as large as they get from the beginning: one that grows on a full disk
would end its process.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead

from coordinator_project.env import METRICS_FOLDER
from coordinator_project.threads import WAITING_CLAIM
from events import slots, tail
from problems.families import family_for
from search.signals import embedded, indexed, searched
from tasks import waiting
from tasks.signals import claim_answered, leases_renewed, report_refused

if TYPE_CHECKING:
    from search.index import Changes  # models, which are not loaded yet where this is

KINDS = {
    "histogram": 1 << 20,
    "counter": 1 << 18,
    "gauge_livesum": 1 << 16,
    "gauge_livemax": 1 << 16,
}
"""The files of a process, and their bytes."""
MOST_TYPES = 200
OTHER = "other"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

# All have labels: without, prometheus-client would open its files when this is loaded.
REQUESTS = Histogram(
    "coordinator_http_request_seconds",
    "From a request's head to its answer's, but for claims that wait on purpose.",
    ["family", "code"],
    buckets=BUCKETS,
)
CLAIMS = Histogram(
    "coordinator_claim_seconds",
    "A look for tasks of an agent; result: some or none.",
    ["result"],
    buckets=BUCKETS,
)
REFUSED = Counter(
    "coordinator_reports_refused", "Reports that came too late to count, and why.", ["code"]
)
CONFLICTS = Counter(
    "cogo_scheduler_claim_conflict", "Reports and renewals of a lease that was lost.", ["job_type"]
)
RENEWALS = Counter("cogo_job_lease_renew", "Renewals of leases.", ["job_type"])
SEARCHES = Counter("search_queries", "Searches.", ["type"])
INDEXED = Counter("indexing_chunks", "Pieces that were added, updated and deleted.", ["op"])
INDEXING = Histogram(
    "indexing_run_seconds",
    "How long a turn of the indexer took.",
    ["source"],
    buckets=BUCKETS,
)
EMBEDDINGS = Counter("embedding_requests", "Texts that were given to the embedder.", ["of"])
NOT_EMBEDDED = Counter("embedding_errors", "How often it failed.", ["of"])
CLIENTS = Gauge(
    "coordinator_waiting_clients",
    "Who waits for what happens: streams and sockets, and claims.",
    ["kind"],
    multiprocess_mode="livesum",
)
BEHIND = "coordinator_stream_behind_seconds"
SILENT = Gauge(
    BEHIND,
    "For how long the journal has not been read for those who follow it, in the slowest process.",
    ["kind"],
    multiprocess_mode="livemax",
)

log = logging.getLogger("coordinator.observations")


class Observer:
    """Whether this process observes, and the types of tasks that have a label of their own."""

    def __init__(self) -> None:
        self.works = True
        self.types: set[str] = set()

    def label(self, type_: str) -> str:
        if type_ not in self.types:
            if len(self.types) >= MOST_TYPES:
                return OTHER
            self.types.add(type_)
        return type_


present = Observer()


def shared_folder() -> Path:
    """That of a `serve` on this data folder."""
    return Path(settings.COORDINATOR_DATA_DIR) / "metrics"


def folder() -> Path | None:
    """The folder that the processes share; None where each is alone."""
    named = os.environ.get(METRICS_FOLDER)
    return Path(named) if named else None


def begin_anew() -> None:
    """Forget what the processes of an earlier start have seen; `serve` does, before it forks."""
    place = folder()
    if place is None:
        return
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in place.glob("*.db*"):
        old.unlink(missing_ok=True)


def begin() -> None:
    """Make the files of this process, which was forked just now; without space it sees nothing."""
    place = folder()
    if place is None:
        return
    try:
        for kind, size in KINDS.items():
            path = place / f"{kind}_{os.getpid()}.db"
            if not path.exists():
                _make(path, size)
    except OSError as problem:
        present.works = False
        log.warning("This process is not observed.", extra={"problem": str(problem)})


def _make(path: Path, size: int) -> None:
    """A file of zeros that has its space; a scrape never sees a part of it."""
    unready = path.with_suffix(".db-new")
    with unready.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    unready.rename(path)


def forget(pid: int | None) -> None:
    """A process has ended: nobody waits there any more. What it has counted stays counted."""
    place = folder()
    if place is not None:
        with suppress(OSError):
            mark_process_dead(pid, str(place))  # type: ignore[no-untyped-call]


def look() -> None:
    """Note how many clients wait in this process for what happens."""
    if present.works:
        CLIENTS.labels("stream").set(slots.count())
        CLIENTS.labels("claim").set(waiting.count())
        SILENT.labels("journal").set(tail.behind() or 0.0)


def answered(request: HttpRequest, status: int, seconds: float) -> None:
    """Note a request's answer."""
    if present.works and request.path != WAITING_CLAIM:
        family = family_for(request).name or "none"
        REQUESTS.labels(family, str(status)).observe(seconds)


@receiver(claim_answered)
def _note_claim(begun: float, found: bool, **kwargs: object) -> None:
    if present.works:
        CLAIMS.labels("some" if found else "none").observe(time.perf_counter() - begun)


@receiver(report_refused)
def _note_refusal(type: str, code: str, **kwargs: object) -> None:  # noqa: A002  (of a task)
    if present.works:
        REFUSED.labels(code).inc()
        CONFLICTS.labels(present.label(type)).inc()


@receiver(leases_renewed)
def _note_renewals(types: Sequence[str], **kwargs: object) -> None:
    if present.works:
        for one in types:
            RENEWALS.labels(present.label(one)).inc()


@receiver(searched)
def _note_search(kind: str, **kwargs: object) -> None:
    if present.works:
        SEARCHES.labels(kind).inc()


@receiver(embedded)
def _note_query(failed: bool, **kwargs: object) -> None:
    if present.works:
        EMBEDDINGS.labels("query").inc()
        if failed:
            NOT_EMBEDDED.labels("query").inc()


@receiver(indexed)
def _note_index(source: str, changes: "Changes", seconds: float, **kwargs: object) -> None:
    if present.works:
        INDEXING.labels(source).observe(seconds)
        for op, count in (
            ("add", changes.added),
            ("update", changes.updated),
            ("delete", changes.deleted),
        ):
            INDEXED.labels(op).inc(count)
        EMBEDDINGS.labels("index").inc(changes.embedded)
        NOT_EMBEDDED.labels("index").inc(changes.errors)
