"""Examinations of what is around: clocks, disks, and the processes that follow the journal."""

import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client.multiprocess import MultiProcessCollector

from coordinator_project.doctor.finding import Finding, some_of
from coordinator_project.observations import BEHIND, shared_folder

MOST_APART = 5.0  # seconds between two clocks
MOST_OF_AGENTS = 60.0  # seconds: what they say takes its time
LEAST_FREE = 0.05  # of a disk
LEAST_BYTES = 1 << 30
MOST_BEHIND = 3.0  # seconds

# The first line of a log comes after the claim, and no line from the future: by the agent's clock.
AGENTS = """
SELECT t.last_holder, max(GREATEST(
  extract(epoch FROM b.last_at - clock_timestamp()),
  CASE WHEN b.sequence = 1 AND b.epoch = t.lease_epoch
    THEN extract(epoch FROM t.claimed_at - b.first_at) END))::float8 AS apart
FROM (SELECT * FROM artifacts_logbatch ORDER BY id DESC LIMIT 1000) b
JOIN tasks_task t ON t.id = b.task_id
GROUP BY 1 HAVING max(GREATEST(
  extract(epoch FROM b.last_at - clock_timestamp()),
  CASE WHEN b.sequence = 1 AND b.epoch = t.lease_epoch
    THEN extract(epoch FROM t.claimed_at - b.first_at) END)) > %s ORDER BY 2 DESC"""


def clock() -> Finding:
    """Leases and presence go by the database's clock, logs and files by this machine's too."""
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        of_database: datetime = cursor.fetchone()[0]
    between = before + (timezone.now() - before) / 2
    apart = abs((of_database - between).total_seconds())
    if apart > MOST_APART:
        return Finding(
            "clock",
            f"This machine's clock and the database's are {apart:.1f} s apart.",
            "Let both machines keep their time by NTP.",
        )
    return Finding("clock", "This machine's clock agrees with the database's.")


def clocks_of_agents() -> Finding:
    """As far as agents tell a time, which they do in the lines of their logs."""
    with connection.cursor() as cursor:
        cursor.execute(AGENTS, [MOST_OF_AGENTS])
        found = [f"{agent} ({seconds:.0f} s)" for agent, seconds in cursor.fetchall()]
    if found:
        return Finding(
            "clocks of agents",
            f"The times of logs say that clocks of agents are wrong: {some_of(found)}.",
            "Let these machines keep their time by NTP; only the order of log lines suffers.",
        )
    return Finding("clocks of agents", "No log has a time that cannot be.")


def disks() -> Finding:
    """The disk of the data folder, and that of the object store where it is a folder."""
    places = [settings.COORDINATOR_DATA_DIR]
    if settings.OBJECT_STORE["kind"] == "filesystem":
        places.append(Path(str(settings.OBJECT_STORE["base_path"])))
    full = []
    for place in places:
        there = next(one for one in (place, *place.parents) if one.exists())
        usage = shutil.disk_usage(there)
        if usage.free < max(LEAST_FREE * usage.total, LEAST_BYTES):
            full.append(f"{place} has {usage.free >> 20} MiB free")
    if full:
        return Finding(
            "disk",
            f"A disk is nearly full: {some_of(full)}.",
            "Free space, or shorten the retention of events, logs and files.",
        )
    return Finding("disk", "The disks have space.")


def followers() -> Finding:
    """Of a `serve` on this data folder: its processes leave what they see in files there."""
    place = shared_folder()
    if not place.is_dir():
        return Finding("streams", "No coordinator has run on this data folder.")
    behind = [
        sample.value
        for metric in MultiProcessCollector(None, str(place)).collect()  # type: ignore[no-untyped-call]
        if metric.name == BEHIND
        for sample in metric.samples
    ]
    if max(behind, default=0.0) > MOST_BEHIND:
        return Finding(
            "streams",
            f"A process has not read the journal for its streams for {max(behind):.0f} s.",
            "See GET /health/details for its name, and kill that process: serve starts another.",
        )
    return Finding("streams", "Whoever follows the journal gets it.")
