"""What people's pages are told of a stretch of the journal: the rows it changed, as they are now.

Made in a thread, once for all who watch in a process.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from agents.models import Agent
from api.fields import JOB_PREFIX
from api.views import dumps
from chains.models import Chain
from dashboard import counters, rows
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
    """The ids of what some lines of the journal speak of."""

    tasks: set[str] = field(default_factory=set)
    chains: set[UUID] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    jobs: set[UUID] = field(default_factory=set)
    channels: set[UUID] = field(default_factory=set)
    notifications: bool = False

    def add(self, line: TailRow) -> None:
        if line.source == Source.AGENT:
            return  # an agent may say what it likes of anything; nothing has changed by that
        noun = line.type.partition(".")[0]
        if noun == "task" and line.task_id:
            self.tasks.add(line.task_id)
        if line.chain_id:
            self.chains.add(line.chain_id)
        if line.agent_id:
            self.agents.add(line.agent_id)
            self.notifications |= noun == "agent"
        if line.job_id:
            self.jobs.add(UUID(line.job_id))
        if noun == "channel" and line.channel_id:
            self.channels.add(line.channel_id)


def touched_by(lines: Iterable[TailRow]) -> Touched:
    found = Touched()
    for line in lines:
        found.add(line)
    return found


def message(
    lines: Sequence[TailRow],
    touched: Touched,
    *,
    cursor: int,
    complete: bool = True,
    most_events: int = MOST_EVENTS,
    numbers: Message | None = None,
) -> str:
    """One message of the wire. Not `complete`: everything has to be read again."""
    said: Message = {"cursor": str(cursor)}
    if not complete:
        said |= {"stale": KINDS, "notifications": True}
        return _encoded(said)
    readers: Mapping[str, Callable[[], list[rows.Row]]] = {
        "tasks": lambda: _tasks(touched.tasks),
        "chains": lambda: _chains(touched.chains),
        "agents": lambda: _agents(touched.agents),
        "jobs": lambda: _jobs(touched.jobs),
        # Where the numbers name channels, they name all that have changed.
        "channels": lambda: _channels(touched.channels),
    }
    stale = []
    for kind, read in readers.items():
        ids: set[object] = getattr(touched, kind)
        if len(ids) > MOST_ROWS:
            stale.append(kind)
        elif ids:
            said[kind] = read()
    if len(lines) > most_events:
        stale.append("events")
    elif lines:
        said["events"] = [rows.event(line) for line in lines]
    if touched.notifications:
        said["notifications"] = True
    if stale:
        said["stale"] = stale
    return _encoded(said | (numbers or {}))


@dataclass(frozen=True)
class Numbers:
    """The counters of now, and the channels with what they count."""

    counters: Mapping[str, object]
    channels: list[rows.Row]

    def without_time(self) -> Mapping[str, object]:
        """What the counters say beside when they were read."""
        return {name: value for name, value in self.counters.items() if name != "at"}


def numbers() -> Numbers:
    found = Channel.objects.order_by("id")[: counters.MOST_CHANNELS]
    return Numbers(counters.counters.read(), channels(found))


def channels(found: Iterable[Channel]) -> list[rows.Row]:
    listed = counters.channels.read()
    nothing: Mapping[str, object] = {"counts": {}}
    return [rows.channel(row, dict(listed.get(row.pk, nothing))) for row in found]


def resumed(since: int, *, cursor: int) -> str:
    """What happened after the id `since`, as one message that goes on from `cursor`."""
    with connection.cursor() as asking:
        asking.execute(tail.REACHES, {"cursor": since})
        [(reaches,)] = asking.fetchall()
        lines: list[TailRow] = []
        if reaches:
            asking.execute(tail.SINCE, [since])
            lines = [TailRow(*found) for found in asking.fetchall()]
    complete = bool(reaches) and len(lines) <= MOST_EVENTS_RESUMED
    now = numbers()
    return message(
        lines,
        touched_by(lines),
        cursor=cursor,
        complete=complete,
        most_events=MOST_EVENTS_RESUMED,
        numbers={"counters": now.counters, "channels": now.channels},
    )


def cursor_of_now() -> int:
    """The id up to which nothing more can come, as far as the journal tells by itself."""
    with connection.cursor() as asking:
        asking.execute(tail.OLD)
        found = asking.fetchone()
        low: int = found[0] if found else 0
        asking.execute(tail.YOUNG, {"old": low})
        for number, before in asking.fetchall():
            if number > before + 1:
                return int(before)
            low = number
    return low


def _encoded(said: Message) -> str:
    return dumps(said).decode().rstrip()


def _tasks(ids: set[str]) -> list[rows.Row]:
    return _with_gone(rows.tasks(Task.objects.filter(pk__in=ids)), ids)


def _chains(ids: set[UUID]) -> list[rows.Row]:
    return _with_gone(rows.chains(Chain.objects.filter(pk__in=ids)), ids)


def _agents(ids: set[str]) -> list[rows.Row]:
    return _with_gone(rows.agents(Agent.objects.with_online().filter(pk__in=ids)), ids)


def _jobs(ids: set[UUID]) -> list[rows.Row]:
    found = rows.jobs(Job.objects.counted().filter(pk__in=ids))
    gone = ids - {row["uuid"] for row in found}
    # Of what kind it was is not known any more; all that are made now are sweeps.
    return [*found, *({"id": f"{JOB_PREFIX}{pk.hex}", "uuid": pk, "deleted": True} for pk in gone)]


def _channels(ids: set[UUID]) -> list[rows.Row]:
    return _with_gone(channels(Channel.objects.filter(pk__in=ids)), ids)


def _with_gone(found: list[rows.Row], ids: Iterable[object]) -> list[rows.Row]:
    """The rows, and in place of each that is no more that it is gone."""
    there = {str(row["id"]) for row in found}
    gone = [str(pk) for pk in ids if str(pk) not in there]
    return [*found, *({"id": pk, "deleted": True} for pk in gone)]
