"""The keys of all rows that match a filter, as far as one verb may be used on them at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from api.pagination import Found, Key, look

M = TypeVar("M", bound=Model)

MOST = 10_000
"""As many as a verb of the console takes."""
MOST_LOOKS = 5
"""How often so many rows as a page looks through are looked through."""


@dataclass(frozen=True, slots=True)
class Order(Generic[M]):
    """An order of rows that an index has: its column, and the rows in it behind a key."""

    column: str
    behind: Callable[[QuerySet[M], Key | None], QuerySet[M]]


@dataclass(frozen=True, slots=True)
class Matching:
    """The keys of rows that match, and whether there may be more of them."""

    keys: list[object]
    more: bool


def matching(found: Found[M], order: Order[M]) -> Matching:
    """The first rows that match, in the order."""
    keys: list[object] = []
    after: Key | None = None
    for _ in range(MOST_LOOKS):
        room = MOST - len(keys)
        some, end = _look(found, order, after, room)
        keys += [key[0] for key in some[:room]]
        if len(some) > room or end is None:
            return Matching(keys, len(some) > room)
        after = end
    return Matching(keys, True)


def _look(
    found: Found[M], order: Order[M], after: Key | None, room: int
) -> tuple[list[Key], Key | None]:
    return look(found, order.column, lambda rows: order.behind(rows, after), room)


def newest(rows: QuerySet[M], after: Key | None) -> QuerySet[M]:
    rows = rows.order_by("-pk")
    return rows if after is None else rows.filter(pk__lt=after[0])


def ended_last(rows: QuerySet[M], after: Key | None) -> QuerySet[M]:
    rows = rows.order_by("-finished_at", "pk")
    if after is None:
        return rows
    pk, at = after
    return rows.filter(finished_at__lte=at).exclude(finished_at=at, pk__lte=pk)


NEWEST: Order = Order("pk", newest)
ENDED_LAST: Order = Order("finished_at", ended_last)
