"""`GET /v1/stream`: what changes, told as it happens, to be resumed where it broke off."""

import asyncio
import re
from collections.abc import AsyncGenerator

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from api.waiting import answers
from dashboard import frames, slots
from events import shutdown, tail
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


@answers("GET")
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Open a stream, unless this process has as many as it may.

    It goes on after the id that the client saw last; without one it tells what happens from now
    on. What lies above a resumed id may be told again, and nothing is left out.
    """
    since = cursor_of(request)
    slots.check()
    return StreamingHttpResponse(speak(since), headers=HEADERS)


def cursor_of(request: HttpRequest, name: str = "last_event_id") -> int | None:
    """Where a client goes on: in the header that browsers send, or under `name` in the query."""
    given = request.headers.get("Last-Event-ID") or request.GET.get(name, "")
    if not given:
        return None
    if not CURSOR.fullmatch(given) or int(given) > LAST:
        raise Invalid("Last-Event-ID: not an id of this stream")
    return int(given)


async def speak(since: int | None) -> AsyncGenerator[bytes]:
    """All that one stream says, until its process stops."""
    with slots.taken():
        greeted = False
        while not shutdown.has_begun():
            async with tail.watch(since) as watching:
                async for batch in _batches(watching):
                    if batch is None:
                        yield frames.PING
                        continue
                    since = batch.cursor
                    hello = b"" if greeted else frames.HELLO % since
                    greeted = True
                    if said := hello + frames.encoded(batch):
                        yield said


async def _batches(watching: tail.Watching) -> AsyncGenerator[tail.Batch | None]:
    """The batches as they come, and None for every while in which there was none."""
    while True:
        try:
            async with asyncio.timeout(PING_AFTER):
                batch = await watching.next()
        except TimeoutError:
            yield None
            continue
        if batch is None:
            return
        yield batch
