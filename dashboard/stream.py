"""`GET /v1/stream`: what changes, as it happens; resumed where it broke off."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from accounts import callers
from accounts.authentication import STREAM_AUTHENTICATION
from accounts.callers import Caller, caller_of
from accounts.watching import watching
from api.async_views import AsyncAPIView
from dashboard import frames, schema, slots
from events import tail
from events.subscribers import follow
from problems import Invalid

PING_AFTER = 15.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}
CURSOR = re.compile("[0-9]{1,19}")
LAST = 2**63 - 1


@schema.stream
class StreamView(AsyncAPIView):
    """What changes, as server-sent events."""

    authentication_classes = STREAM_AUTHENTICATION

    async def get(self, request: Request) -> StreamingHttpResponse:
        """Follow what changes, as server-sent events, unless too many do.

        It goes on after the id that the client saw last, or begins now. What lies above a resumed
        id may be sent again; nothing is left out.
        """
        since = cursor_of(request)
        slots.check()
        return StreamingHttpResponse(speak(since, caller_of(request)), headers=HEADERS)


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


async def speak(since: int | None, caller: Caller = callers.TOKEN) -> AsyncGenerator[bytes]:
    """All frames of one stream, until its process stops or its caller is not recognized."""
    with slots.taken():
        greeted = False
        async with (
            watching(caller) as watch,
            aclosing(follow(tail.watch, since, pause=PING_AFTER, watch=watch)) as batches,
        ):
            async for batch in batches:
                if batch is None:
                    yield frames.PING
                    continue
                data = frames.encoded(batch)
                if not greeted:
                    # A client that hears no more than this has not had what it missed.
                    start = batch.cursor if since is None or not data else since
                    data = frames.HELLO % start + data
                    greeted = True
                if data:
                    yield data
