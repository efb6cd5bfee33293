"""What happens, for pages without a WebSocket: as a stream, or one message when asked."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import STREAM_AUTHENTICATION
from accounts.callers import Caller, caller_of
from accounts.watching import watching
from api.async_views import AsyncAPIView
from dashboard import hub, schema
from events import slots
from events.sse import HEADERS, PING, PING_AFTER, cursor_of
from events.subscribers import follow


@schema.live_stream
class StreamView(AsyncAPIView):
    """The messages as server-sent events."""

    authentication_classes = STREAM_AUTHENTICATION

    async def get(self, request: Request) -> StreamingHttpResponse:
        """Follow what happens, as server-sent events."""
        since = cursor_of(request, "cursor")
        slots.check()
        return StreamingHttpResponse(_events(since, caller_of(request)), headers=HEADERS)


async def _events(since: int | None, caller: Caller) -> AsyncGenerator[bytes]:
    with slots.taken():
        async with (
            watching(caller) as watch,
            aclosing(follow(hub.join, since, pause=PING_AFTER, watch=watch)) as messages,
        ):
            async for message in messages:
                yield message.as_event if message else PING


@schema.changes
class ChangesView(AsyncAPIView):
    """One message with all that has happened since the cursor."""

    async def get(self, request: Request) -> Response:
        """Wait for the next message, and show it."""
        since = cursor_of(request, "cursor")
        slots.check()
        with slots.taken():
            async with hub.join(since) as subscriber:
                message = await subscriber.next()
        return Response(message.text.encode() if message else {"cursor": str(since or 0)})
