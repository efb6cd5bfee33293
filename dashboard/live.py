"""What happens, for pages without a WebSocket: as a stream, or one message when asked."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from api.waiting import answers
from dashboard import frames, hub, slots
from dashboard.stream import HEADERS, PING_AFTER, cursor_of
from events.subscribers import follow
from problems import http


@answers("GET")
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The messages as server-sent events."""
    since = cursor_of(request, "cursor")
    slots.check()
    return StreamingHttpResponse(_events(since), headers=HEADERS)


async def _events(since: int | None) -> AsyncGenerator[bytes]:
    with slots.taken():
        async with aclosing(follow(hub.join, since, pause=PING_AFTER)) as messages:
            async for message in messages:
                yield message.as_event if message else frames.PING


@answers("GET")
async def changes(request: HttpRequest) -> HttpResponseBase:
    """One message with all that has happened since the cursor."""
    since = cursor_of(request, "cursor")
    slots.check()
    with slots.taken():
        async with hub.join(since) as subscriber:
            message = await subscriber.next()
    text = message.text if message else f'{{"cursor":"{since or 0}"}}'
    return HttpResponse(text, content_type=http.JSON)


@answers("GET")
async def may_watch(request: HttpRequest) -> HttpResponseBase:
    """Whether the caller may watch from this cursor on; asked before a WebSocket is opened."""
    cursor_of(request, "cursor")
    slots.check()
    return HttpResponse(status=204)
