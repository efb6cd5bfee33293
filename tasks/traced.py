"""The leases of tasks that belong to a trace, read from the journal for those who follow traces."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from api.traces import TRACEPARENT
from tasks.models import AttemptOutcome
from tasks.states import Status
from tasks.tallies import RAN_SINCE, WAITED_SINCE, happened

GIVEN_BACK = {AttemptOutcome.RELEASED, AttemptOutcome.RESET, AttemptOutcome.DETACHED}

LEASES = f"""
WITH happened AS MATERIALIZED ({happened("e.id > %(low)s AND e.id <= %(high)s")})
SELECT t.trace, e.task_id, c.name, t.type, COALESCE(e.agent_id, ''), e.request_id, e.epoch,
  e.source = 'in_progress' AS ran,
  CASE WHEN e.source = 'in_progress' THEN {RAN_SINCE} ELSE {WAITED_SINCE} END AS since,
  e.created_at, e.target, e.reason
FROM happened e
JOIN tasks_task t ON t.id = e.task_id::uuid
JOIN tasks_channel c ON c.id = t.channel_id
WHERE t.trace ~ '^{TRACEPARENT.pattern}$'
  AND (e.event = 'task.claimed' OR e.source = 'in_progress')
ORDER BY e.id"""  # noqa: S608


class TracedLease(NamedTuple):
    """A wait for a lease, or with `ran` a lease that has ended: in which status, and why."""

    trace: str
    task_id: str
    channel: str
    type: str
    agent_id: str
    request_id: str
    epoch: int
    ran: bool
    since: datetime
    until: datetime
    status: str
    reason: str

    @property
    def went_wrong(self) -> bool:
        return self.status == Status.FAILED or (bool(self.reason) and self.reason not in GIVEN_BACK)


def leases(low: int, high: int) -> list[TracedLease]:
    """What the events above `low` up to `high` say of tasks of a trace, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(LEASES, {"low": low, "high": high})
        found = [TracedLease(*row) for row in cursor.fetchall()]
    return [lease for lease in found if lease.since is not None]
