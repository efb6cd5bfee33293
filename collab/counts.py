"""How many jobs have each status, however many there are.

For those who see everything it is exact, by the tallies of the journal, as the metrics have it. For
users a bounded part of the tasks of each status is read, by an index, and beyond that it is an
estimate.
"""

from collections import Counter

import orjson
from django.db.models import Count, Q

from accounts import ownership
from accounts.callers import Caller
from collab.states import BEGUN, SIMPLE, JobStatus
from jobs.sweeps import CHANNEL
from tasks import tallies
from tasks.models import COMMAND, Channel, Task
from tasks.states import Status

MOST_COUNTED = 10_000
ORDER = ("status", "agent_id", "pk")
"""That of the index on status: without it, the whole table could be read."""


def by_status(caller: Caller) -> tuple[dict[str, int], list[str]]:
    """The jobs that the caller may see, by status; and the statuses for which it is an estimate."""
    found: Counter[str]
    if ownership.is_limited(caller):
        seen = Q(ownership.owned(caller), job=None)
        found, estimated = _looked_through(seen)
    else:
        seen, (found, estimated) = Q(job=None), (_tallied(), [])
    begun = Task.objects.in_progress().filter(seen & BEGUN).order_by().count()
    counts: dict[str, int] = dict.fromkeys(JobStatus.values, 0)
    for status, name in SIMPLE.items():
        counts[name] += found[status]
    counts[JobStatus.RUNNING] += begun
    counts[JobStatus.ASSIGNED] = max(found[Status.IN_PROGRESS] - begun, 0)
    return counts, sorted(SIMPLE.get(status, JobStatus.ASSIGNED) for status in estimated)


def _tallied() -> Counter[str]:
    """The tasks of each status, but for those of sweeps and commands."""
    of_sweeps = set(Channel.objects.named([CHANNEL]).values_list("pk", flat=True))
    found: Counter[str] = Counter()
    for row in tallies.read():
        if row.type != COMMAND and row.channel_id not in of_sweeps:
            found[row.target] += row.count
            found[row.source] -= row.count
    return found


def _looked_through(seen: Q) -> tuple[Counter[str], list[str]]:
    found: Counter[str] = Counter()
    estimated: list[str] = []
    for status in Status.values:
        tasks = Task.objects.filter(status=status)
        looked = tasks.order_by(*ORDER)[:MOST_COUNTED].aggregate(
            all=Count("pk"), seen=Count("pk", filter=seen)
        )
        found[status] = looked["seen"]
        if looked["all"] == MOST_COUNTED:
            [explained] = orjson.loads(tasks.filter(seen).explain(format="json"))
            found[status] = max(looked["seen"], int(explained["Plan"]["Plan Rows"]))
            estimated.append(status)
    return found, estimated
