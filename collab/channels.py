"""The channels of the realtime socket: who may watch one, and what was missed in it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from accounts import ownership
from accounts.callers import Caller
from accounts.permissions import NotAllowed
from agents.exceptions import AgentUnknown
from agents.models import Agent
from api.body import UNSTORABLE
from collab.broadcasts import AGENTS, BUS, JOBS, concerns
from collab.exceptions import CollabJobUnknown
from collab.happenings import Happening, happenings, shown_jobs
from collab.models import CollabJob
from events import tail
from events.models import Event
from events.querysets import EventQuerySet
from problems import NotFound

LONGEST = 300  # characters of a name
MOST_MISSED = 5_000  # events that are read again
MOST_MISSED_BYTES = 4 * 1024 * 1024  # of what is sent of them, for it is in memory while it is
AT_ONCE = 250  # events that are read by one query


class ChannelUnknown(NotFound):
    """There is no such channel: jobs:<id>, agents:<id> and system:events are."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A channel as one caller watches it: by its name as it is spelled here.

    `owners`: of whose jobs alone it is told; None: of all. What is about no job is told to all.
    `since`: what happened before is not told, since a worker of that id may have been another's.
    """

    name: str
    owners: frozenset[UUID | None] | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """What happened in a channel after a cursor. Not `complete`: it is too much, or was purged."""

    happenings: Sequence[Happening] = ()
    complete: bool = True


def named(name: str, caller: Caller) -> Watched:
    """The channel of this name, as the caller may watch it.

    Who may see a job or a worker may watch it, and who sees everything the whole. Of what a worker
    of nobody does a user is told as far as it is no other user's. Raises NotFound or Forbidden.
    """
    kind, _, id_ = name.partition(":")
    if name == BUS:
        if not caller.sees_all:
            raise NotAllowed(f"{BUS} is for those who may view everything.")
        return Watched(name)
    if len(name) > LONGEST or not id_ or UNSTORABLE.search(id_):
        raise ChannelUnknown
    if kind == JOBS:
        return Watched(f"{JOBS}:{_visible_job(id_, caller)}")
    if kind == AGENTS:
        agent = _visible_agent(id_, caller)
        name = f"{AGENTS}:{agent.pk}"
        if not ownership.is_limited(caller):
            return Watched(name)
        is_own = agent.user_id == caller.user_id
        owners = None if is_own else frozenset({None, caller.user_id})
        return Watched(name, owners, agent.created_at)
    raise ChannelUnknown


def spelled(name: str) -> str:
    """The name of a channel as it is spelled here; any other name as it is."""
    kind, _, id_ = name.partition(":")
    with suppress(ValueError):
        return f"{JOBS}:{UUID(id_)}" if kind == JOBS else name
    return name


def visible_job(job_id: UUID, caller: Caller) -> CollabJob:
    """The job, for those who may see it."""
    job = shown_jobs([job_id]).get(str(job_id))
    if job is None or job.job_id is not None:
        raise CollabJobUnknown(f"There is no job {job_id}.")
    ownership.check(job.user_id, caller, changes=False)
    return job


def _visible_job(given: str, caller: Caller) -> UUID:
    try:
        job_id = UUID(given)
    except ValueError:
        raise CollabJobUnknown(f"There is no job {given}.") from None
    return visible_job(job_id, caller).pk


def _visible_agent(agent_id: str, caller: Caller) -> Agent:
    agent = Agent.objects.filter(pk=agent_id).only("user_id", "created_at").first()
    if agent is None:
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    ownership.check(agent.user_id, caller, changes=False)
    return agent


def missed(channel: str, after: int, since: datetime | None = None) -> Missed:
    """What is told in a channel of the events after an id; too many are not told."""
    if not journal_reaches(after):
        return Missed(complete=False)
    found: list[Happening] = []
    size, more = 0, True
    for _ in range(MOST_MISSED // AT_ONCE):
        part = page(channel, after, AT_ONCE, since)
        found += part.happenings
        after, more = part.last, part.more
        size += sum(len(told.text) for one in part.happenings for told in one.told_in(channel))
        if size > MOST_MISSED_BYTES or not more:
            break
    return Missed(complete=False) if more or size > MOST_MISSED_BYTES else Missed(found)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what happened in a channel, and the id of the last event that was looked at."""

    happenings: Sequence[Happening]
    last: int
    more: bool


def page(channel: str, after: int, most: int, since: datetime | None = None) -> Page:
    """The first of what is told in a channel of the events after an id that the journal has."""
    rows = _about(channel).filter(pk__gt=after)
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    found = list(rows.order_by("pk")[: most + 1])
    events, more = found[:most], len(found) > most
    told = list(happenings(one for one in events if channel in concerns(one)))
    return Page(told, events[-1].pk if events else after, more)


def last_before(job_id: UUID, moment: datetime | None) -> int:
    """The last event of a job that is not later; 0 where there is none."""
    if moment is None:
        return 0
    events = Event.objects.about_task(job_id).filter(created_at__lte=moment)
    return events.order_by("-pk").values_list("pk", flat=True).first() or 0


def journal_reaches(after: int) -> bool:
    """Whether the journal has come to this id, and still has all that came after it."""
    with connection.cursor() as cursor:
        cursor.execute(tail.REACHES, {"cursor": after})
        row = cursor.fetchone()
    return bool(row and row[0])


def _about(channel: str) -> EventQuerySet:
    """The events among which those of a channel are, found by an index."""
    kind, _, id_ = channel.partition(":")
    if kind == JOBS:
        return Event.objects.about_task(id_)
    if kind == AGENTS:
        return Event.objects.about_agent(id_)
    return Event.objects.all()
