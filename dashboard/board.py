"""The board of a channel: its chains, and its tasks without a chain in columns; page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from api.fields import NOBODY
from chains.models import Chain
from dashboard import rows
from dashboard.snapshot import ENDED_CHAINS, OPEN_CHAINS
from problems import Invalid
from tasks import queue
from tasks.models import Task
from tasks.queue import Head

MOST = 100
LOOKED_AT = 5_000  # of the tasks of all channels that ended last
FIRST = 50
HIGHEST = 2**31  # of a priority
OPEN = "open"
ENDED = "ended"
COLUMNS = ("queued", "in_progress", "done")

DONE = """
SELECT id, finished_at FROM (
  SELECT id, finished_at, channel_id, chain_id FROM tasks_task
  WHERE finished_at IS NOT NULL AND finished_at <= %(until)s
    AND (finished_at < %(until)s OR id > %(id)s)
  ORDER BY finished_at DESC, id LIMIT {looked_at}) late
WHERE channel_id = %(channel)s AND chain_id IS NULL
ORDER BY finished_at DESC, id LIMIT %(limit)s
"""

BoardPage = dict[str, object]


class BadBoardCursor(Invalid):
    """after is not a cursor of this list"""


@dataclass(frozen=True)
class PageOfIds:
    """Ids in the order of their list, and the cursor of the next page; "" if there is none."""

    ids: Sequence[UUID]
    next: str


def chains(channel: UUID, after: str, limit: int) -> BoardPage:
    """Open chains, the oldest first; then those that have ended, the newest first."""
    phase, _, last = after.partition(":") if after else (OPEN, "", "")
    found: list[Chain] = []
    of_channel = Chain.objects.filter(channel=channel)
    if phase == OPEN:
        some = of_channel.filter(status__in=OPEN_CHAINS).order_by("id")
        found += (some.filter(pk__gt=_uuid(last)) if last else some)[: limit + 1]
        last = ""
    elif phase != ENDED:
        raise BadBoardCursor
    of_phase = len(found)
    if of_phase <= limit:
        some = of_channel.filter(status__in=ENDED_CHAINS).order_by("-id")
        found += (some.filter(pk__lt=_uuid(last)) if last else some)[: limit + 1 - of_phase]
    page: BoardPage = {"chains": rows.chains(found[:limit])}
    if len(found) > limit:
        end = found[limit - 1]
        page["next"] = f"{OPEN if limit <= of_phase else ENDED}:{end.pk}"
    return page


def columns(channel: UUID) -> dict[str, BoardPage]:
    """The first tasks of each column, and whether there are more."""
    found: dict[str, BoardPage] = {}
    for name in COLUMNS:
        page = column(channel, name, "", FIRST)
        listed = page["tasks"]
        count = len(listed) if isinstance(listed, list) else 0
        found[name] = page | {"count": count, "more": "next" in page}
    return found


def column(channel: UUID, name: str, after: str, limit: int) -> BoardPage:
    """A page of one column of tasks without a chain."""
    if name == "queued":
        page = _queued(channel, after, limit)
    elif name == "in_progress":
        page = _in_progress(channel, after, limit)
    elif name == "done":
        page = _done(channel, after, limit)
    else:
        raise Invalid(f"column must be one of {', '.join(COLUMNS)}")
    body: BoardPage = {"tasks": in_this_order(page.ids)}
    return body | ({"next": page.next} if page.next else {})


def in_this_order(ids: Sequence[UUID]) -> list[rows.Row]:
    by_id = {row["id"]: row for row in rows.tasks(Task.objects.filter(pk__in=ids))}
    return [by_id[pk] for pk in ids if pk in by_id]


def _queued(channel: UUID, after: str, limit: int) -> PageOfIds:
    head = None
    if after:
        priority, queue_at, last = _parts(after, 3)
        head = Head(_uuid(last), None, -_number(priority), _time(queue_at), 0)
    found = queue.page(channel, head, limit + 1)
    ids = [row.id for row in found[:limit]]
    if len(found) <= limit:
        return PageOfIds(ids, "")
    end = found[limit - 1]
    return PageOfIds(ids, f"{-end.priority}|{end.queue_at.isoformat()}|{end.id}")


def _in_progress(channel: UUID, after: str, limit: int) -> PageOfIds:
    held = Task.objects.in_progress().filter(channel=channel, chain=None).order_by("id")
    return _by_id(held.filter(pk__gt=_uuid(after)) if after else held, limit)


def _by_id(some: QuerySet[Task], limit: int) -> PageOfIds:
    ids = list(some.values_list("pk", flat=True)[: limit + 1])
    return PageOfIds(ids[:limit], str(ids[limit - 1]) if len(ids) > limit else "")


def _done(channel: UUID, after: str, limit: int) -> PageOfIds:
    """Those that ended last, among the latest of all channels."""
    values: dict[str, UUID | int | datetime | str] = {
        "channel": channel,
        "limit": limit + 1,
        "until": "infinity",
        "id": NOBODY,
    }
    if after:
        until, last = _parts(after, 2)
        values |= {"until": _time(until), "id": _uuid(last)}
    with connection.cursor() as cursor:
        cursor.execute(DONE.format(looked_at=LOOKED_AT), values)
        found: list[tuple[UUID, datetime]] = cursor.fetchall()
    if len(found) <= limit:
        return PageOfIds([row[0] for row in found], "")
    pk, at = found[limit - 1]
    return PageOfIds([row[0] for row in found[:limit]], f"{at.isoformat()}|{pk}")


def steps(chain: UUID, after: int, limit: int) -> BoardPage:
    """Tasks of a chain in their order, after the sequence `after`."""
    of_chain = Task.objects.filter(Q(chain=chain) & Q(sequence__gt=after)).order_by("sequence")
    found = rows.tasks(of_chain[: limit + 1])
    page: BoardPage = {"tasks": found[:limit]}
    if len(found) > limit:
        page["next"] = found[limit - 1]["sequence"]
    return page


def _parts(after: str, number: int) -> list[str]:
    parts = after.split("|")
    if len(parts) != number:
        raise BadBoardCursor
    return parts


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadBoardCursor from None


def _number(text: str) -> int:
    try:
        number = int(text[:20])
    except ValueError:
        raise BadBoardCursor from None
    if abs(number) > HIGHEST:
        raise BadBoardCursor
    return number


def _time(text: str) -> datetime:
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadBoardCursor
    return at
