"""What the tallies of tasks say, as metrics: the engine's names by channel, seed 003's by type."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from collab.states import REASONS
from tasks import tallies
from tasks.models import Channel
from tasks.states import DeadLetter, Status
from tasks.tallies import BUCKETS, QUEUE, RUN, Tally, Timing

MOST_CHANNELS = 500
OTHER = "other"
EXPIRED = "expired"

Labels = tuple[str, ...]
Values = Iterable[tuple[Labels, float]]


def channel_names() -> Mapping[UUID, str]:
    """The names of the first channels; all others share one label, since labels must stay few."""
    named = Channel.objects.order_by("pk").values_list("pk", "name")
    return dict(named[:MOST_CHANNELS])


def collect() -> Iterator[Metric]:
    """The metrics of tasks; one read of the tallies serves all."""
    names = channel_names()
    counted, timed = tallies.read(), tallies.timings()
    yield _tasks(names, counted)
    yield _events(names, counted)
    yield from _of_seed_003(counted)
    for phase, name, text in (
        (QUEUE, "coordinator_task_wait_seconds", "From claimable to claimed, by channel."),
        (
            RUN,
            "coordinator_task_run_seconds",
            "From the claim to the end of the lease, by channel.",
        ),
    ):
        by_channel = (
            ((names.get(row.channel_id, OTHER),), row) for row in timed if row.phase == phase
        )
        yield histogram(name, text, ["channel"], by_channel)
    yield histogram(
        "cogo_job_latency_seconds",
        "How long jobs waited (queue) and ran (run).",
        ["job_type", "phase"],
        (((row.type, row.phase), row) for row in timed if not row.of_job),
    )
    lag = tallies.lag()
    yield GaugeMetricFamily(
        "coordinator_tallies_behind_events",
        "Ids of the journal that are not folded yet; readers count 200,000 of them.",
        value=lag.ids,
    )


def _tasks(names: Mapping[UUID, str], counted: Sequence[Tally]) -> Metric:
    """Each channel that ever had a task has all statuses, so that none vanishes at zero."""
    found: Counter[Labels] = Counter()
    for (channel, status), count in tallies.by_channel_and_status(counted).items():
        for each in Status.values:
            found[names.get(channel, OTHER), each] += count if each == status else 0
    return gauge("coordinator_tasks", "Tasks by status.", ["channel", "status"], found.items())


def _events(names: Mapping[UUID, str], counted: Sequence[Tally]) -> Metric:
    found: Counter[Labels] = Counter()
    for row in counted:
        if row.event != tallies.COUNTED:
            event = row.event.removeprefix("task.")
            found[names.get(row.channel_id, OTHER), event, row.reason] += row.count
    return counter(
        "coordinator_task_events",
        "What happened to tasks; reason: why one failed, or how a try ended.",
        ["channel", "event", "reason"],
        found.items(),
    )


def _of_seed_003(counted: Sequence[Tally]) -> Iterator[Metric]:
    """What happened to jobs in the words of seed 003: to tasks that are of no sweep or command."""
    claims, expired, retries, failures, dead = (Counter[Labels]() for _ in range(5))
    queued = succeeded = 0
    for row in (one for one in counted if not one.of_job):
        match row.event, row.reason:
            case "task.created", _:
                queued += row.count
            case "task.claimed", _:
                claims[row.type,] += row.count
            case "task.completed", _:
                succeeded += row.count
            case "task.retried", reason:
                retries[row.type, reason] += row.count
                expired[row.type,] += row.count if reason == EXPIRED else 0
            case "task.failed", reason:
                failures[row.type, reason] += row.count
                dead[row.type, stage_of(reason)] += row.count
                expired[row.type,] += row.count if reason == DeadLetter.LEASE_EXPIRED else 0
    by_type, reasons = ["job_type"], ["job_type", "reason"]
    yield counter("cogo_scheduler_claim", "Claims.", by_type, claims.items())
    yield counter("cogo_job_lease_expired", "Leases that ran out.", by_type, (+expired).items())
    yield counter("cogo_job_retries", "Tries that were not the last.", reasons, retries.items())
    yield counter("cogo_job_failures", "Final failures.", reasons, failures.items())
    yield counter("cogo_job_dlq", "Dead letters.", ["job_type", "stage"], dead.items())
    for name, text, count in (
        ("cogo_jobs_queued", "Jobs that were made.", queued),
        ("cogo_jobs_succeeded", "Jobs that succeeded.", succeeded),
        ("cogo_jobs_failed", "Jobs that failed for good.", failures.total()),
    ):
        yield counter(name, text, [], [((), count)])


def stage_of(reason: str) -> str:
    """Seed 003's code for a dead letter's reason."""
    return REASONS[DeadLetter(reason)].value if reason in DeadLetter.values else reason


def gauge(name: str, text: str, labels: Sequence[str], found: Values) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in sorted(found):
        family.add_metric(values, value)
    return family


def counter(name: str, text: str, labels: Sequence[str], found: Values) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in sorted(found):
        family.add_metric(values, value)
    return family


def histogram(
    name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Labels, Timing]]
) -> Metric:
    counts: dict[Labels, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
    sums: dict[Labels, float] = defaultdict(float)
    for values, row in rows:
        counts[values][row.bucket] += row.count
        sums[values] += row.seconds
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, in_bucket in sorted(counts.items()):
        total, buckets = 0, []
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], in_bucket, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(values, buckets, sums[values])
    return family
