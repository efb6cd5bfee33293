"""Lists that come page by page."""

from collections.abc import Callable
from typing import TypeVar

from coordinator_client.call import Call, items, path, query
from coordinator_client.models import Page
from coordinator_client.values import JSON, decode

T = TypeVar("T")
Filter = str | int | float | bool | None


def page(kind: type[T], name: str) -> Callable[[JSON], Page[T]]:
    def read(body: JSON) -> Page[T]:
        found = [decode(kind, item) for item in items(body, name)]
        more = body if isinstance(body, dict) else {}
        cursor, total = more.get("next_cursor"), more.get("total")
        count = total if isinstance(total, int) else None
        return Page(items=found, next_cursor=str(cursor or ""), total=count)

    return read


def listing(
    kind: type[T], where: tuple[str, ...], name: str, /, **filters: Filter
) -> Call[Page[T]]:
    return Call(
        method="GET",
        path=path(*where),
        query=query(**filters),
        read=page(kind, name),
        repeatable=True,
    )
