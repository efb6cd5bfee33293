"""Server-sent events: their headers, frames, and the id after which a client goes on."""

import re

from rest_framework.request import Request

from problems import Invalid

PING_AFTER = 15.0
PING = b": ping\n\n"
RETRY = b"retry: 2000\n"
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}
CURSOR = re.compile("[0-9]{1,19}")
LAST = 2**63 - 1


def frame(event: str, data: bytes, cursor: int | None = None) -> bytes:
    """One event; with a cursor, a client that has read it goes on after that."""
    head = b"" if cursor is None else b"id: %d\n" % cursor
    return b"%sevent: %s\ndata: %s\n\n" % (head, event.encode(), data)


def cursor_of(request: Request, name: str = "last_event_id") -> int | None:
    """Where a client goes on: in the header that browsers send, or under `name` in the query."""
    return as_cursor(request.headers.get("Last-Event-ID") or request.query_params.get(name, ""))


def as_cursor(given: str) -> int | None:
    """The cursor that a client has sent as text; None where it is empty."""
    if not given:
        return None
    if not CURSOR.fullmatch(given) or int(given) > LAST:
        raise Invalid("Last-Event-ID: not an id of this stream")
    return int(given)
