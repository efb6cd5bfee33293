"""What happens, told to people's pages where there is no WebSocket: as a stream, or when asked."""

import asyncio
from collections.abc import AsyncGenerator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from api.waiting import answers
from dashboard import frames, hub, slots
from dashboard.stream import HEADERS, PING_AFTER, cursor_of
from problems import http


@answers("GET")
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The messages as server-sent events."""
    since = cursor_of(request, "cursor")
    slots.check()
    return StreamingHttpResponse(_speak(since), headers=HEADERS)


async def _speak(since: int | None) -> AsyncGenerator[bytes]:
    with slots.taken():
        async with hub.join(since) as seat:
            while True:
                try:
                    async with asyncio.timeout(PING_AFTER):
                        told = await seat.next()
                except TimeoutError:
                    yield frames.PING
                    continue
                if told is None:
                    return
                yield told.as_event


@answers("GET")
async def changes(request: HttpRequest) -> HttpResponseBase:
    """One message, with all since the cursor."""
    since = cursor_of(request, "cursor")
    slots.check()
    with slots.taken():
        async with hub.join(since) as seat:
            told = await seat.next()
    text = told.text if told else f'{{"cursor":"{since or 0}"}}'
    return HttpResponse(text, content_type=http.JSON)


@answers("GET")
async def may_watch(request: HttpRequest) -> HttpResponseBase:
    """Whether the one who asks may watch, from this cursor on; it is asked before a WebSocket."""
    cursor_of(request, "cursor")
    slots.check()
    return HttpResponse(status=204)
