"""`/api/metrics/summary`: what seed 003 shows of jobs, workers and the backlog (contract 003, 4.3).

Jobs are tasks that are of no sweep and no command. What is now is exact; totals are exact for the
window that the answer names; percentiles come from the buckets of the histograms.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from prometheus_client import CollectorRegistry

from agents.models import Agent
from collab.answers import CollabJobSerializer
from collab.models import CollabJob
from collab.states import JobStatus
from metrics import scrape, sources
from metrics.counted import EXPIRED, OTHER, channel_names
from tasks import queue, tallies, tally_window
from tasks.models import Task
from tasks.series import percentile
from tasks.states import DeadLetter, Status
from tasks.tallies import BUCKETS, QUEUE, RUN, Tally, Timing
from tasks.tally_window import Window

ACTIVE = timedelta(seconds=20)
RECENT = 10
MOST_COUNTED = 10_000  # ready tasks of a channel, and postponed ones

STATUS: Mapping[str, JobStatus] = {
    Status.QUEUED: JobStatus.QUEUED,
    Status.IN_PROGRESS: JobStatus.ASSIGNED,
    Status.LOCKED: JobStatus.RUNNING,
    Status.DONE: JobStatus.SUCCEEDED,
    Status.CANCELLED: JobStatus.CANCELLED,
    Status.FAILED: JobStatus.DEAD_LETTERED,
}
# Of those in progress, which are few, the ones whose worker has said that it runs them.
BEGUN = """
SELECT channel_id, count(*) FROM tasks_task
WHERE status = 'in_progress' AND job_id IS NULL AND named_epoch >= lease_epoch GROUP BY 1"""
DELAYED = f"""
SELECT count(*) FROM (
  SELECT FROM tasks_task WHERE postponed ORDER BY available_at LIMIT {MOST_COUNTED}) found"""  # noqa: S608

Part = dict[str, object]


def summary(window: Window) -> Part:
    """All of it as of now, totals and latency for the window."""
    counted, happened = tally_window.counted(window)
    timed = [row for row in tally_window.timed(window) if not row.of_job]
    totals = _totals([row for row in happened if not row.of_job])
    totals |= sources.totals(counted.start, counted.end)
    return {
        "ok": True,
        "ts": timezone.now(),
        "window": {"from": counted.start, "to": counted.end},
        "jobs": _jobs(),
        "totals": totals,
        "latency": {**_latency(timed), "byType": _latency_by_type(timed)},
        "rates": _rates(totals),
        "workers": _workers(),
        "backlog": backlog(),
    }


def _jobs() -> Part:
    names = channel_names()
    by_executor: dict[str, Counter[str]] = defaultdict(Counter)
    counted = [row for row in tallies.read() if not row.of_job]
    for (channel, status), count in tallies.by_channel_and_status(counted).items():
        by_executor[names.get(channel, OTHER)][STATUS[status]] += count
    with connection.cursor() as cursor:
        cursor.execute(BEGUN)
        for channel, count in cursor.fetchall():
            found = by_executor[names.get(channel, OTHER)]
            # The tallies have been read a moment before.
            begun = min(count, found[JobStatus.ASSIGNED])
            found[JobStatus.ASSIGNED] -= begun
            found[JobStatus.RUNNING] += begun
    total: Counter[str] = sum(by_executor.values(), Counter())
    recent = CollabJob.objects.shown().order_by("-pk")[:RECENT]
    return {
        "byStatus": _all_statuses(total),
        "byExecutor": {name: _all_statuses(by_executor[name]) for name in sorted(by_executor)},
        "recent": [CollabJobSerializer.shown(job) for job in recent],
    }


def _all_statuses(counts: Mapping[str, int]) -> dict[str, int]:
    return {status: counts.get(status, 0) for status in JobStatus.values}


def _totals(happened: Iterable[Tally]) -> dict[str, float]:
    """What happened in the window; conflicts are those since the coordinator was started."""
    of_event: Counter[str] = Counter()
    expired = 0
    for row in happened:
        of_event[row.event] += row.count
        if (row.event, row.reason) in EXPIRIES:
            expired += row.count
    return {
        "claims": of_event["task.claimed"],
        "conflicts": conflicts(),
        "leaseRenewals": of_event["task.lease_renewed"],
        "leaseExpired": expired,
        "retries": of_event["task.retried"],
        "failures": of_event["task.failed"],
        "dlq": of_event["task.failed"],
        "succeeded": of_event["task.completed"],
    }


EXPIRIES = {("task.retried", EXPIRED), ("task.failed", DeadLetter.LEASE_EXPIRED.value)}


def conflicts() -> int:
    """How many reports of lost leases the processes of this `serve` have refused."""
    registry = CollectorRegistry()
    registry.register(scrape.of_processes())
    return int(
        sum(
            sample.value
            for metric in registry.collect()
            if metric.name == "cogo_scheduler_claim_conflict"
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
    )


def _rates(totals: Mapping[str, float]) -> Part:
    ended = totals["succeeded"] + totals["failures"]
    return {
        "successRate": _share(totals["succeeded"], ended),
        "conflictRate": _share(totals["conflicts"], totals["claims"] + totals["conflicts"]),
        "dlqRate": _share(totals["dlq"], ended),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _latency(timed: Sequence[Timing]) -> Part:
    return {phase: _spread([row for row in timed if row.phase == phase]) for phase in (QUEUE, RUN)}


def _latency_by_type(timed: Sequence[Timing]) -> Part:
    of_type: dict[str, list[Timing]] = defaultdict(list)
    for row in timed:
        of_type[row.type].append(row)
    return {name: _latency(of_type[name]) for name in sorted(of_type)}


def _spread(timed: Sequence[Timing]) -> Part:
    buckets = [0] * (len(BUCKETS) + 1)
    for row in timed:
        buckets[row.bucket] += row.count
    return {
        "count": sum(buckets),
        "p50": percentile(buckets, 0.5),
        "p95": percentile(buckets, 0.95),
    }


def _workers() -> Part:
    active = Agent.objects.active_within(ACTIVE)
    running = Task.objects.in_progress().filter(job=None).count()
    return {"active": active.count(), "capacity": active.total_capacity(), "running": running}


def backlog() -> Part:
    """What waits now, of all channels; of each channel up to 10,000 are counted."""
    channels = list(channel_names())
    ready = queue.counts(channels, MOST_COUNTED)
    since = min(queue.waiting_since(channels).values(), default=None)
    with connection.cursor() as cursor:
        cursor.execute(DELAYED)
        delayed = cursor.fetchone()[0]
    return {
        "ready": sum(min(count, MOST_COUNTED) for count in ready.values()),
        "delayed": delayed,
        "oldestReadyAgeSec": None if since is None else _age(since),
    }


def _age(since: datetime) -> float:
    return max(0.0, round((timezone.now() - since).total_seconds(), 3))
