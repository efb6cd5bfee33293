"""The board of a channel: its chains, and its tasks without a chain in columns; page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

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
    of_channel = Chain.objects.filter(channel=channel).defer("description")
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
    """Those that ended last, among the latest of all channels; the next page looks further back."""
    latest = Task.objects.latest_finished()
    if after:
        until, last = _parts(after, 2)
        at, pk = _time(until), _uuid(last)
        latest = latest.filter(finished_at__lte=at).exclude(finished_at=at, pk__lte=pk)
    looked = latest.values_list("pk", "finished_at", named=True)
    alone = Task.objects.latest_finished().filter(channel=channel, chain=None)
    some = alone.filter(pk__in=looked.values("pk")[:LOOKED_AT])
    found = list(some.values_list("pk", "finished_at", named=True)[: limit + 1])
    ids = [row.pk for row in found[:limit]]
    # One more than what was looked at says that there is more to look at.
    ends = found[limit - 1 :] if len(found) > limit else list(looked[LOOKED_AT - 1 : LOOKED_AT + 1])
    end = ends[0] if len(ends) > 1 else None
    return PageOfIds(ids, f"{end.finished_at:%Y-%m-%dT%H:%M:%S.%f%z}|{end.pk}" if end else "")


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
