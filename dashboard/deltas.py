"""Messages for pages: the rows that a part of the journal changed, as they are now.

Made in a thread, once for all subscribers of a process.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from agents.models import Agent
from api.fields import JOB_PREFIX
from api.renderers import dumps
from chains.models import Chain
from dashboard import attention, counters, rows
from events import tail
from events.models import Source
from events.tail import TailRow
from jobs.models import Job
from tasks.models import Channel, Task

MOST_ROWS = 200
MOST_EVENTS = 500
MOST_EVENTS_RESUMED = 5_000
KINDS = ("tasks", "chains", "agents", "jobs", "channels", "events")

Message = dict[str, object]


@dataclass
class Touched:
    """The ids of what some rows of the journal are about."""

    tasks: set[str] = field(default_factory=set)
    chains: set[UUID] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    jobs: set[UUID] = field(default_factory=set)
    channels: set[UUID] = field(default_factory=set)
    notifications: bool = False

    def add(self, row: TailRow) -> None:
        if row.source == Source.AGENT:
            return  # an event of an agent changes nothing
        noun = row.type.partition(".")[0]
        if noun == "task" and row.task_id:
            self.tasks.add(row.task_id)
        if row.chain_id:
            self.chains.add(row.chain_id)
        if row.agent_id:
            self.agents.add(row.agent_id)
            self.notifications |= noun == "agent"
        if row.job_id:
            self.jobs.add(UUID(row.job_id))
        if noun == "channel" and row.channel_id:
            self.channels.add(row.channel_id)


def touched_by(journal: Iterable[TailRow]) -> Touched:
    found = Touched()
    for row in journal:
        found.add(row)
    return found


def message(
    journal: Sequence[TailRow],
    touched: Touched,
    *,
    cursor: int,
    complete: bool = True,
    most_events: int = MOST_EVENTS,
    numbers: Message | None = None,
) -> str:
    """One message as JSON. Not `complete`: everything has to be read again."""
    body: Message = {"cursor": str(cursor)}
    if not complete:
        body |= {"stale": KINDS, "notifications": True}
        return _encoded(body)
    readers: Mapping[str, Callable[[], list[rows.Row]]] = {
        "tasks": lambda: _tasks(touched.tasks),
        "chains": lambda: _chains(touched.chains),
        "agents": lambda: _agents(touched.agents),
        "jobs": lambda: _jobs(touched.jobs),
        # If the numbers include channels, they include all that have changed.
        "channels": lambda: _channels(touched.channels),
    }
    stale = []
    for kind, read in readers.items():
        ids: set[object] = getattr(touched, kind)
        if len(ids) > MOST_ROWS:
            stale.append(kind)
        elif ids:
            body[kind] = read()
    if len(journal) > most_events:
        stale.append("events")
    elif journal:
        body["events"] = [rows.event(row) for row in journal]
    if touched.notifications:
        body["notifications"] = True
    if stale:
        body["stale"] = stale
    return _encoded(body | (numbers or {}))


@dataclass(frozen=True)
class Numbers:
    """The counters, the channels with theirs, and what needs a person."""

    counters: Mapping[str, object]
    channels: list[rows.Row]
    attention: list[rows.Row] = field(default_factory=list)

    def without_time(self) -> Mapping[str, object]:
        """The counters, but for the time at which they were read."""
        return {name: value for name, value in self.counters.items() if name != "at"}


def numbers() -> Numbers:
    found = Channel.objects.order_by("id")[: counters.MOST_CHANNELS]
    return Numbers(counters.counters.read(), channels(found), attention.kept.read())


def channels(found: Iterable[Channel]) -> list[rows.Row]:
    listed = counters.channels.read()
    nothing: Mapping[str, object] = {"counts": {}}
    return [rows.channel(row, dict(listed.get(row.pk, nothing))) for row in found]


def resumed(since: int, *, cursor: int) -> str:
    """What happened after the id `since`, as one message with this `cursor`."""
    with connection.cursor() as db:
        db.execute(tail.REACHES, {"cursor": since})
        [(reaches,)] = db.fetchall()
        journal: list[TailRow] = []
        if reaches:
            db.execute(tail.SINCE, [since])
            journal = [TailRow(*found) for found in db.fetchall()]
    complete = bool(reaches) and len(journal) <= MOST_EVENTS_RESUMED
    now = numbers()
    return message(
        journal,
        touched_by(journal),
        cursor=cursor,
        complete=complete,
        most_events=MOST_EVENTS_RESUMED,
        numbers={
            "counters": now.counters,
            "channels": now.channels,
            "attention": now.attention,
        },
    )


def cursor_of_now() -> int:
    """The id up to which nothing more can come, from the journal alone."""
    with connection.cursor() as db:
        db.execute(tail.OLD)
        found = db.fetchone()
        low: int = found[0] if found else 0
        db.execute(tail.YOUNG, {"old": low})
        for number, before in db.fetchall():
            if number > before + 1:
                return int(before)
            low = number
    return low


def _encoded(body: Message) -> str:
    return dumps(body).decode().rstrip()


def _tasks(ids: set[str]) -> list[rows.Row]:
    return _with_gone(rows.tasks(Task.objects.filter(pk__in=ids)), ids)


def _chains(ids: set[UUID]) -> list[rows.Row]:
    return _with_gone(rows.chains(Chain.objects.filter(pk__in=ids).defer("description")), ids)


def _agents(ids: set[str]) -> list[rows.Row]:
    return _with_gone(rows.agents(Agent.objects.with_online().filter(pk__in=ids)), ids)


def _jobs(ids: set[UUID]) -> list[rows.Row]:
    found = rows.jobs(Job.objects.counted().filter(pk__in=ids))
    gone = ids - {row["uuid"] for row in found}
    # Its kind is not known any more; all new ones are sweeps.
    return [*found, *({"id": f"{JOB_PREFIX}{pk.hex}", "uuid": pk, "deleted": True} for pk in gone)]


def _channels(ids: set[UUID]) -> list[rows.Row]:
    return _with_gone(channels(Channel.objects.filter(pk__in=ids)), ids)


def _with_gone(found: list[rows.Row], ids: Iterable[object]) -> list[rows.Row]:
    """The rows, and a mark for each one that is gone."""
    there = {str(row["id"]) for row in found}
    gone = [str(pk) for pk in ids if str(pk) not in there]
    return [*found, *({"id": pk, "deleted": True} for pk in gone)]
