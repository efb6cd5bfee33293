"""What had to come of `script/demo collab`, recounted from the jobs and their events."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.demo.collab_ears import Heard, gaps, recounted
from benchmarks.demo.wire import Body, Wire, inner, number, rows, text

BROADCAST: Mapping[str, Sequence[str]] = {
    "queued": ["job.created"],
    "assigned": ["job.claimed"],
    "succeeded": ["job.succeeded", "job.done"],
    "retry_scheduled": ["job.failed"],
    "failed_dlq": ["job.failed", "job.dead_lettered"],
    "cancelled": ["job.error"],
}
"""What is broadcast of an event, where it is not `job.` and its name (contract 003, 3.2)."""

COUNTED: Mapping[str, str] = {
    "cogo_jobs_queued_total": "queued",
    "cogo_scheduler_claim_total": "assigned",
    "cogo_jobs_succeeded_total": "succeeded",
    "cogo_jobs_failed_total": "failed_dlq",
    "cogo_job_dlq_total": "failed_dlq",
    "cogo_job_lease_expired_total": "lease_expired",
}
"""The counters that have to have grown by the number of events of a name."""

LINE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)
PRESENT_WITHIN = 15.0  # seconds between two presences: five here, but a machine may be busy


def jobs_of(wire: Wire) -> list[Body]:
    """All jobs, page by page."""
    found: list[Body] = []
    query: dict[str, str | int] = {"limit": 100}
    while True:
        page = wire.get("/api/collab/jobs/recent", **query)
        found += rows(page, "items")
        if not (cursor := text(page, "nextCursor")):
            return found
        query["cursor"] = cursor


def events_of(wire: Wire, jobs: Sequence[Body]) -> dict[str, list[Body]]:
    """The journal of each job."""
    ids = [text(job, "id") for job in jobs]
    return {one: rows(wire.get(f"/api/collab/events/by-job/{one}"), "items") for one in ids}


def counters(metrics: str) -> dict[str, float]:
    """Each counter of a scrape, over all its labels."""
    found: Counter[str] = Counter()
    for name, value in LINE.findall(metrics):
        if name in COUNTED:
            found[name] += float(value)  # type: ignore[assignment]
    return dict(found)


def names_of(events: Sequence[Body]) -> list[str]:
    return [text(event, "event_type") for event in events]


def heard_right(heard: Heard, events: Mapping[str, Sequence[Body]]) -> bool:
    """Whether the socket heard every event of every job, in its order."""
    return all(
        heard.types_of(job_id)
        == [type_ for name in names_of(found) for type_ in BROADCAST.get(name, [f"job.{name}"])]
        for job_id, found in events.items()
    )


def streamed_right(heard: Heard, events: Mapping[str, Sequence[Body]]) -> bool:
    """Whether the stream has brought every event once, those of a job in their order."""
    journal = {job_id: [number(event, "id") for event in found] for job_id, found in events.items()}
    return recounted(heard.rows) == journal


def counted_right(
    before: Mapping[str, float],
    after: Mapping[str, float],
    events: Mapping[str, Sequence[Body]],
) -> dict[str, bool]:
    """Whether each counter has grown by what the journal says."""
    happened = Counter(name for found in events.values() for name in names_of(found))
    return {
        counter: after.get(counter, 0) - before.get(counter, 0) == happened[name]
        for counter, name in COUNTED.items()
    }


def overview_right(wire: Wire, jobs: Sequence[Body]) -> bool:
    counts = inner(wire.get("/api/collab/metrics/overview"), "counts")
    by_status = Counter(text(job, "status") for job in jobs)
    return {name: count for name, count in counts.items() if count} == dict(by_status)


def present_right(heard: Heard, workers: Sequence[str]) -> bool:
    """Whether each worker was present all the time that somebody watched."""
    seen = [heard.present[f"agents:{name}"] for name in workers]
    return all(len(times) > 1 and gaps(times) <= PRESENT_WITHIN for times in seen)
