"""What is broadcast of an event of the journal, and in which channels (contract 003, 3.2 and 6).

| event of the journal | in `jobs:` and `system:events` | in `agents:` |
|---|---|---|
| task.created | job.created | |
| task.claimed | job.claimed | task.assign |
| task.started | job.started | |
| task.progress | job.progress | |
| task.completed, task.unlocked as done | job.succeeded, job.done | task.result |
| task.retried after a failure | job.failed | task.error |
| task.retried after the lease ran out | job.lease_expired, in `system:events` alone | task.error |
| task.failed | job.failed; job.dead_lettered in `system:events` alone | task.error |
| task.cancelled | job.error | task.error |
| task.lease_renewed | job.lease_renewed, in `system:events` alone | |
| any other of a task: task.locked, … | the same of the job: job.locked, … | |
| agent.… | agent.status, in `system:events` | agent.status |
| channel.… | the same, in `system:events` | |

Events that agents post are no statements of the coordinator, and are not broadcast.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from collab.states import event_name
from events.models import Source
from tasks.states import FINISHED, Status

JOBS, AGENTS, BUS = "jobs", "agents", "system:events"
STATUS = "agent.status"
SUCCEEDED = ("job.succeeded", "job.done")

OF_JOBS: Mapping[str, Sequence[str]] = {
    "queued": ("job.created",),
    "assigned": ("job.claimed",),
    "succeeded": SUCCEEDED,
    "retry_scheduled": ("job.failed",),
    "failed_dlq": ("job.failed",),
    "cancelled": ("job.error",),
}
"""By seed 003's name of the event; others keep their name."""

OF_AGENTS: Mapping[str, str] = {
    "assigned": "task.assign",
    "succeeded": "task.result",
    "retry_scheduled": "task.error",
    "lease_expired": "task.error",
    "failed_dlq": "task.error",
    "cancelled": "task.error",
}

ON_BUS_ALONE = frozenset({"lease_renewed", "lease_expired"})
"""Names that seed 003 gives no broadcast; who watches everything is told all the same."""

DEAD_LETTERED = "job.dead_lettered"


class JournalRow(Protocol):
    """As much of an event as says who is to be told: the row of a follower, or the event."""

    @property
    def type(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def job_id(self) -> str | None: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def agent_id(self) -> str | None: ...


class Broadcast(NamedTuple):
    """One type, told in these channels."""

    type: str
    channels: tuple[str, ...]


def of_job(job_id: object) -> str:
    return f"{JOBS}:{job_id}"


def of_agent(agent_id: str) -> str:
    return f"{AGENTS}:{agent_id}"


def is_about_job(row: JournalRow) -> bool:
    """Whether it is about a task of no sweep and no command."""
    return bool(row.task_id) and row.job_id is None and row.type.startswith("task.")


def concerns(row: JournalRow) -> Iterator[str]:
    """The channels in which something may be told of a row, whatever its payload."""
    if row.source != Source.COORDINATOR:
        return
    job = is_about_job(row)
    if job:
        yield of_job(row.task_id)
    if row.agent_id and (job or row.type.startswith("agent.")):
        yield of_agent(row.agent_id)
    if job or row.type.startswith(("agent.", "channel.")):
        yield BUS


def broadcasts(row: JournalRow, payload: Mapping[str, object]) -> Iterator[Broadcast]:
    """What is told of an event, in its order."""
    if row.source != Source.COORDINATOR:
        return
    if is_about_job(row):
        yield from _of_job(row, payload)
    elif row.type.startswith("agent."):
        yield Broadcast(STATUS, (of_agent(row.agent_id or ""), BUS))
    elif row.type.startswith("channel."):
        yield Broadcast(row.type, (BUS,))


def _of_job(row: JournalRow, payload: Mapping[str, object]) -> Iterator[Broadcast]:
    name = name_of(row, payload)
    told = (BUS,) if name in ON_BUS_ALONE else (of_job(row.task_id), BUS)
    for type_ in OF_JOBS.get(name, (f"job.{name}",)):
        yield Broadcast(type_, told)
    if name == "failed_dlq":
        yield Broadcast(DEAD_LETTERED, (BUS,))
    if row.agent_id and name in OF_AGENTS:
        yield Broadcast(OF_AGENTS[name], (of_agent(row.agent_id),))


def name_of(row: JournalRow, payload: Mapping[str, object]) -> str:
    """Seed 003's name of an event; a job that a person unlocks as done has succeeded."""
    if payload.get("to") == Status.DONE:
        return "succeeded"
    return event_name(row.type, payload)


def ends(row: JournalRow, payload: Mapping[str, object]) -> bool:
    """Whether a job has ended with this event; a dead letter may still be given another try."""
    return is_about_job(row) and payload.get("to") in FINISHED
