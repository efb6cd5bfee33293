"""All that is known after a run: what its members wrote down, and what the database has."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson
import psycopg
from psycopg.rows import class_row

from tasks.states import Status

BEATS = ".beats"

Entry = Mapping[str, object]


class TaskRow(NamedTuple):
    """A task as the database has it."""

    id: str
    status: str
    key: str
    chain_id: str | None
    job_id: str | None
    sequence: int
    epoch: int
    closed_epoch: int
    holder: str
    result: object
    dead_letter: str


class EventRow(NamedTuple):
    """An event of a task's status or of an agent's presence."""

    id: int
    type: str
    at: float
    task_id: str | None
    agent_id: str | None
    chain_id: str | None
    source: str | None
    target: str | None
    epoch: int | None

    @property
    def is_change(self) -> bool:
        """Whether it is of a change of a task's status, or of its creation."""
        return self.task_id is not None and self.target in Status.values


class AttemptRow(NamedTuple):
    """An attempt that did not end well."""

    task_id: str
    epoch: int
    agent_id: str
    outcome: str
    ended_at: float


class Call(NamedTuple):
    """A request of an agent: when it was sent, and when it had a good answer, if it had one."""

    at: float
    heard: float = math.inf


class JobRow(NamedTuple):
    """A job's counters as they are stored with its tallies, and as its tasks are counted anew."""

    id: str
    status: str
    unfolded: int
    counted: Sequence[int]
    recounted: Sequence[int]
    right_status: str


TASK_ROWS = """SELECT id::text, status, idempotency_key AS key, chain_id::text, job_id::text,
  sequence, lease_epoch AS epoch, closed_epoch, last_holder AS holder, result, dead_letter
FROM tasks_task"""

EVENT_ROWS = """SELECT id, type, extract(epoch FROM created_at)::float8 AS at, task_id, agent_id,
  chain_id::text, payload->>'from' AS source, payload->>'to' AS target,
  (payload->>'lease_epoch')::bigint AS epoch
FROM events_event WHERE source = 'coordinator' AND type <> 'task.prioritized'
  AND (type LIKE 'task.%' OR type LIKE 'agent.%') ORDER BY id"""

ATTEMPT_ROWS = """SELECT task_id::text, epoch, agent_id, outcome,
  extract(epoch FROM ended_at)::float8 AS ended_at FROM tasks_attempt"""

JOB_ROWS = """
WITH tallied AS (
  SELECT job_id, count(*) AS unfolded, sum(total) AS total, sum(completed) AS completed,
    sum(failed) AS failed, sum(cancelled) AS cancelled FROM jobs_tally GROUP BY job_id),
recount AS (
  SELECT job_id, count(*) AS total, count(*) FILTER (WHERE status = 'done') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled
  FROM tasks_task WHERE job_id IS NOT NULL GROUP BY job_id)
SELECT j.id::text, j.status, COALESCE(t.unfolded, 0) AS unfolded,
  ARRAY[j.total + COALESCE(t.total, 0), j.completed + COALESCE(t.completed, 0),
    j.failed + COALESCE(t.failed, 0), j.cancelled + COALESCE(t.cancelled, 0)]::int[] AS counted,
  ARRAY[COALESCE(r.total, 0), COALESCE(r.completed, 0), COALESCE(r.failed, 0),
    COALESCE(r.cancelled, 0)]::int[] AS recounted,
  jobs_status(r.total::int, r.completed::int, r.failed::int, r.cancelled::int,
    j.started_at IS NOT NULL, j.cancel_asked_at IS NOT NULL) AS right_status
FROM jobs_job j LEFT JOIN tallied t ON t.job_id = j.id LEFT JOIN recount r ON r.job_id = j.id"""


@dataclass(frozen=True)
class Tables:
    """What the database has."""

    tasks: Mapping[str, TaskRow]
    events: Sequence[EventRow]
    attempts: Sequence[AttemptRow]
    jobs: Sequence[JobRow]
    stops: frozenset[str]  # chains in which nothing goes on after a failure

    @classmethod
    def read(cls, connection: psycopg.Connection) -> "Tables":
        with connection.cursor(row_factory=class_row(TaskRow)) as cursor:
            tasks = {row.id: row for row in cursor.execute(TASK_ROWS)}
        with connection.cursor(row_factory=class_row(EventRow)) as cursor:
            events = cursor.execute(EVENT_ROWS).fetchall()
        with connection.cursor(row_factory=class_row(AttemptRow)) as cursor:
            attempts = cursor.execute(ATTEMPT_ROWS).fetchall()
        with connection.cursor(row_factory=class_row(JobRow)) as cursor:
            jobs = cursor.execute(JOB_ROWS).fetchall()
        stopping = "SELECT id::text FROM chains_chain WHERE on_failure = 'stop'"
        stops = frozenset(row[0] for row in connection.execute(stopping))
        return cls(tasks, events, attempts, jobs, stops)


@dataclass(frozen=True)
class History:
    """The tables, and each member's entries in their order, by its name."""

    tables: Tables
    logs: Mapping[str, Sequence[Entry]]
    lost_after: Mapping[str, float] = field(default_factory=dict)  # by the agent's name

    @classmethod
    def of(cls, logs: Path, tables: Tables, lost_after: Mapping[str, float]) -> "History":
        read = {path.stem: list(entries(path)) for path in sorted(logs.glob("*.jsonl"))}
        return cls(tables, read, lost_after)

    def every(self, what: str) -> Iterator[tuple[str, Entry]]:
        """All entries of a kind, with the name of their member."""
        for name, lines in self.logs.items():
            for line in lines:
                if line["what"] == what:
                    yield name, line

    def calls(self, agent: str, about: str = "") -> list["Call"]:
        """The requests of an agent, by either of its threads, in their order: all of them, or its
        heartbeats that list a task."""
        names = [agent + BEATS] if about else [agent, agent + BEATS]
        found = []
        for name in names:
            lines = self.logs.get(name, [])
            heard = {
                line["n"]: number(line, "at")
                for line in lines
                if line["what"] == "answered" and number(line, "status") < 500
            }
            found += [
                Call(number(line, "at"), heard.get(line["n"], math.inf))
                for line in lines
                if line["what"] == "sent" and (not about or about in str(line["body"]))
            ]
        return sorted(found)

    def events_of_tasks(self) -> Mapping[str, list[EventRow]]:
        found: dict[str, list[EventRow]] = defaultdict(list)
        for event in self.tables.events:
            if event.task_id and event.is_change:
                found[event.task_id].append(event)
        return found


def entries(path: Path) -> Iterator[Entry]:
    with path.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def number(entry: Entry, name: str) -> float:
    found = entry[name]
    return float(found) if isinstance(found, int | float) else 0.0


def text(entry: Entry, name: str) -> str:
    return str(entry[name])
