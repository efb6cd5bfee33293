"""The queue of a channel: what may be claimed, in which kinds, in what order, and how it is read.

A free task is of one of three kinds, each with a partial index in the order of the queue. The queue
is read from the heads of these indexes and nowhere else, so its length does not count. Where tasks
are for some agents only, the index has their requirement before the order: a claim hops from one
requirement to the next and looks at no task that its agent cannot do, however many there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db.models import F, Q
from django.db.models.functions import Collate
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual

from tasks.statements import Statement, raw, text_of
from tasks.states import Status

if TYPE_CHECKING:
    from datetime import datetime

    from tasks.models import Task
    from tasks.querysets import TaskQuerySet

READY = Q(status=Status.QUEUED, blocked=False, postponed=False, assign_only=False)
"""A claim may give it out now, to somebody."""

FREE = READY & Q(reserved_for=None)
"""A claim may give it to anybody who meets its requirement: the generated column `free`."""

ALONE = Q(free=True, chain=None, requirement=None)
IN_CHAIN = Q(free=True, chain__isnull=False)
MATCHING = Q(free=True, requirement__isnull=False)
"""The kinds of free tasks; an index for each has just these conditions."""

TYPED = ALONE & ~Q(type="")
"""Those that a claim of some types gives, where they stand alone and are for everybody."""

ORDER = (F("priority").desc(), "queue_at", "sequence", "id")
"""The order in which free tasks are claimed (architecture: Order)."""

BY_TYPE = Collate("type", "C")
"""A type as its index has it: byte by byte, so that those with one prefix are side by side."""

SOON = 5_000
"""How many postponed tasks of a channel are looked through for those that are first in order."""

FAR = 1_000
"""How far the queue is looked along for a position: behind so many others is just far behind."""

MOST_PRIORITIES = 32
"""Of a channel: in so many it is looked for what has waited for long."""

MEETS = """NOT %(agent)s::text = ANY (r.refused_by) AND NOT EXISTS (
    SELECT FROM agents_agent a, jsonb_each_text(r.wants) w
    WHERE a.id = %(agent)s AND a.offers ? w.key AND NOT a.offers -> w.key ? w.value)
  AND NOT EXISTS (
    SELECT FROM jsonb_each_text(r.requires) w WHERE NOT EXISTS (
      SELECT FROM agents_agent a WHERE a.id = %(agent)s AND a.offers -> w.key ? w.value))"""
"""Whether the agent may have tasks of requirement `r`; `requirements.serves` says it in Python."""


class Head(NamedTuple):
    """A free task near the head of a queue, by what decides its order."""

    id: UUID
    chain_id: UUID | None
    priority: int
    queue_at: datetime
    sequence: int


@cache
def order_by(alias: str) -> str:
    """The order of the queue for rows that a statement calls `alias`."""
    ordered = text_of(_tasks().order_by(*ORDER).values("title"))
    return ordered.partition(" ORDER BY ")[2].replace('"tasks_task"', alias)


def heads(
    channels: str,
    limit: int,
    *,
    of_chains: int | None = None,
    agent: bool = True,
    behind: Q | None = None,
) -> str:
    """The first free tasks of several channels as one queue, as SQL; its columns are of `Head`.

    `channels` is a relation of the statement with their `id`s. With `agent` only those whose
    requirement the agent meets (%(agent)s); else all. `behind`: only those that it holds for.
    `of_chains`: no more than so many of a channel's tasks in chains; None: as many as others.
    """
    most = {"alone": limit, "in_chain": limit if of_chains is None else of_chains}
    kinds = _each_kind("c.id", **most, agent=agent, behind=behind or Q())
    return (
        f"SELECT h.* FROM {channels} c CROSS JOIN LATERAL ({' UNION ALL '.join(kinds)}) h"  # noqa: S608
        f" ORDER BY {order_by('h')} LIMIT {limit:d}"
    )


def heads_of_types(channels: str, limit: int) -> str:
    """The first free tasks of several channels whose type begins with %(type_prefix)s, as SQL.

    Only those that stand alone and are for everybody. An index has them by type: it is looked at
    once for each type that waits, and no task of another type is read, however many there are.
    """
    free = _tasks().filter(TYPED, Exact(BY_TYPE, raw("t.kind")), channel=raw("c.id"))
    of_type = text_of(free.order_by(*ORDER).values(*Head._fields)[:limit])
    return (
        f"SELECT h.* FROM {channels} c CROSS JOIN LATERAL (SELECT m.* FROM ({_types('c.id')}) t"  # noqa: S608
        f" CROSS JOIN LATERAL ({of_type}) m) h ORDER BY {order_by('h')} LIMIT {limit:d}"
    )


def _types(channel: str) -> str:
    """The types with the prefix of which tasks wait in a channel; one look for each."""
    typed = _tasks().filter(TYPED, channel=raw(channel)).order_by(BY_TYPE).values(kind=BY_TYPE)
    from_prefix = GreaterThanOrEqual(BY_TYPE, raw("%(type_prefix)s::text"))
    first = text_of(typed.filter(from_prefix)[:1])
    following = text_of(typed.filter(GreaterThan(BY_TYPE, raw("waiting.kind")))[:1])
    begins = "starts_with(waiting.kind, %(type_prefix)s::text)"
    return f"""WITH RECURSIVE waiting (kind) AS (({first}) UNION ALL
    SELECT ({following}) FROM waiting WHERE {begins})
  SELECT kind FROM waiting WHERE {begins}"""  # noqa: S608


def _each_kind(channel: str, *, alone: int, in_chain: int, agent: bool, behind: Q) -> list[str]:
    free = _tasks().filter(behind, channel=raw(channel)).order_by(*ORDER).values(*Head._fields)
    matching = text_of(free.filter(MATCHING, requirement=raw("r.id"))[:alone])
    met = f"WHERE {MEETS}" if agent else ""
    return [
        f"({text_of(free.filter(ALONE)[:alone])})",
        *([f"({text_of(free.filter(IN_CHAIN)[:in_chain])})"] if in_chain else []),
        f"(SELECT m.* FROM (SELECT r.id FROM ({_requirements(channel)}) w"  # noqa: S608
        f" JOIN tasks_requirement r ON r.id = w.id {met}) r CROSS JOIN LATERAL ({matching}) m)",
    ]


def _requirements(channel: str) -> str:
    """The requirements for which tasks wait in a channel; one look at the index for each.

    Requirements that are known from the past cost nothing.
    """
    matching = _tasks().filter(MATCHING, channel=raw(channel)).order_by("requirement_id")
    first = text_of(matching.values("requirement_id")[:1])
    following = matching.filter(requirement__gt=raw("waiting.id")).values("requirement_id")[:1]
    return f"""WITH RECURSIVE waiting (id) AS (({first}) UNION ALL
    SELECT ({text_of(following)}) FROM waiting WHERE waiting.id IS NOT NULL)
  SELECT id FROM waiting WHERE id IS NOT NULL"""  # noqa: S608


def count(channel: str, limit: int) -> str:
    """How many free tasks a channel has, as SQL; of each kind no more than `limit` are counted."""
    free = _tasks().filter(channel=raw(channel)).values("id")
    kinds = [
        free.filter(ALONE).order_by(*ORDER),
        free.filter(IN_CHAIN).order_by(*ORDER),
        free.filter(MATCHING).order_by("requirement_id"),
    ]
    parts = " UNION ALL ".join(f"({text_of(kind[:limit])})" for kind in kinds)
    return f"(SELECT count(*) FROM ({parts}) free)"  # noqa: S608


@lru_cache(maxsize=32)
def _counts(limit: int, giving: bool) -> Statement:
    return Statement.of(
        f"SELECT c.id, {count('c.id', limit)} FROM tasks_channel c"  # noqa: S608
        f" WHERE c.id = ANY (%(channels)s::uuid[]) {'AND c.paused_at IS NULL' if giving else ''}"
    )


def counts(channels: Collection[UUID], most: int, *, giving: bool = False) -> dict[UUID, int]:
    """How many free tasks each of these channels has: exact up to `most`.

    `giving`: without the channels that are paused.
    """
    limit = 1 << max(most - 1, 1).bit_length()  # a few texts serve all
    return dict(_counts(limit, giving).run({"channels": list(channels)}))


@cache
def _waiting_since() -> Statement:
    """Hops from each priority to the next lower one, so the length of a queue does not count."""
    lower = Q(priority__lt=raw("p.priority"))
    first, following = (
        heads("(SELECT c.id)", 1, agent=False, behind=behind) for behind in (Q(), lower)
    )
    return Statement.of(
        f"""SELECT c.id, min(t.available_at)
FROM unnest(%(channels)s::uuid[]) AS c (id) CROSS JOIN LATERAL (
  WITH RECURSIVE p (id, priority, nth) AS (
    (SELECT h.id, h.priority, 1 FROM ({first}) h) UNION ALL
    SELECT n.id, n.priority, p.nth + 1 FROM p CROSS JOIN LATERAL ({following}) n
    WHERE p.nth < {MOST_PRIORITIES})
  SELECT id FROM p) head
JOIN tasks_task t ON t.id = head.id GROUP BY 1"""  # noqa: S608
    )


def waiting_since(channels: Collection[UUID]) -> dict[UUID, datetime]:
    """Since when the first free task of each priority has been claimable; the longest of each.

    Of the highest `MOST_PRIORITIES` of a channel; channels where nothing is free are left out.
    """
    return dict(_waiting_since().run({"channels": list(channels)}))


@cache
def _reserved() -> Statement:
    kept = _tasks().ready().filter(reserved_for=raw("a.id"), channel__paused_at=None)
    kept = kept.filter(channel__in=raw("SELECT unnest(%(channels)s::uuid[])"))
    return Statement.of(
        "SELECT a.id FROM unnest(%(agents)s::text[]) AS a (id)"  # noqa: S608
        f" CROSS JOIN LATERAL ({text_of(kept.order_by().values('id')[:1])}) kept"
    )


def reserved(channels: Collection[UUID], agents: Collection[str]) -> frozenset[str]:
    """Those of these agents for whom a task of these channels is reserved and ready."""
    rows = _reserved().run({"channels": list(channels), "agents": list(agents)})
    return frozenset(row[0] for row in rows)


@cache
def _position(far: int) -> Statement:
    before = " OR ".join(
        [
            "h.priority > %(priority)s::int",
            "h.priority = %(priority)s::int AND (h.queue_at, h.sequence, h.id)"
            " < (%(queue_at)s::timestamptz, %(sequence)s::int, %(id)s::uuid)",
        ]
    )
    channel = "(SELECT %(channel)s::uuid AS id)"
    return Statement.of(
        f"SELECT count(*) FROM ({heads(channel, far, agent=False)}) h WHERE {before}"  # noqa: S608
    )


def position(task: Task) -> int:
    """A free task's position in its channel, from 1; more than `FAR` for far behind.

    Tasks that want something are counted as well, though not every agent may have them.
    """
    place = {"priority": task.priority, "queue_at": task.queue_at, "sequence": task.sequence}
    values = {"channel": task.channel_id, "id": task.pk, **place}
    return min(int(_position(FAR).run(values)[0][0]), FAR) + 1


def page(channel: UUID, after: Head | None, limit: int) -> Sequence[Head]:
    """The chainless tasks of a channel that wait, in order: from the head on, or behind `after`.

    Those that are postponed are among them, as far as they are among its next `SOON`.
    """
    behind = Q(chain=None)
    if after:
        behind &= Q(priority__lt=after.priority) | Q(priority=after.priority) & (
            Q(queue_at__gt=after.queue_at) | Q(queue_at=after.queue_at, id__gt=after.id)
        )
    free = heads("(SELECT %(channel)s::uuid AS id)", limit, agent=False, behind=behind)
    postponed = _tasks().filter(postponed=True, channel=raw("%(channel)s"))
    soon = postponed.order_by("available_at").values("id")[:SOON]
    later = _tasks().filter(behind, id__in=soon).order_by(*ORDER)
    rows = Statement.of(
        f"SELECT * FROM (({free}) UNION ALL ({text_of(later.values(*Head._fields)[:limit])})) h"  # noqa: S608
        f" ORDER BY {order_by('h')} LIMIT {limit:d}"
    )
    return [Head(*row) for row in rows.run({"channel": channel})]


def _tasks() -> TaskQuerySet:
    tasks: TaskQuerySet = apps.get_model("tasks", "Task")._default_manager.all()
    return tasks
