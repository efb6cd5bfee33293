"""What the tallies should say, counted anew from the journal and the tasks."""

from collections import Counter
from unittest.mock import patch

from events.models import Event, Source
from tasks import tallies
from tasks.models import Task
from tasks.states import Status


def fold_all():
    """Fold what has happened until now, as two passes with some seconds between them do."""
    at_once = tallies.HORIZON.replace("- interval '1 second'", "")
    with patch.object(tallies, "HORIZON", at_once), patch.object(tallies, "LONGEST", 1_000):
        return tallies.fold() + tallies.fold()


def told():
    """How often each event of tasks happened, as the tallies say."""
    found = Counter()
    for row in tallies.read():
        if row.event != tallies.COUNTED:
            what = row.event, row.source, row.target, row.reason
            key = row.channel_id, row.type, row.of_job, *what
            found[key] += row.count
    return found


def in_the_journal():
    """The same, event by event."""
    found = Counter()
    for event in Event.objects.filter(source=Source.COORDINATOR, type__startswith="task."):
        paid = event.payload
        moved = [paid.get(name) for name in ("from", "to")]
        source, target = (one if isinstance(one, str) else "" for one in moved)
        reason = paid.get("dead_letter", paid.get("outcome", ""))
        of_job = event.job_id is not None
        what = event.type, source, target, reason
        found[event.channel_id, paid.get("type", ""), of_job, *what] += 1
    return found


def statuses():
    """How many tasks there are of each status."""
    found = Counter(Task.objects.values_list("status", flat=True))
    return {status: found[status] for status in Status.values}


def timed(phase):
    """How many waits or runs were timed, and their seconds."""
    rows = [row for row in tallies.timings() if row.phase == phase]
    return sum(row.count for row in rows), sum(row.seconds for row in rows)
