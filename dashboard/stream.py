"""`GET /v1/stream`: what changes, as it happens; resumed where it broke off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from accounts import callers
from accounts.authentication import STREAM_AUTHENTICATION
from accounts.callers import Caller, caller_of
from accounts.watching import watching
from api.async_views import AsyncAPIView
from dashboard import frames, schema
from events import slots, tail
from events.sse import HEADERS, PING, PING_AFTER, cursor_of
from events.subscribers import follow


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
                    yield PING
                    continue
                data = frames.encoded(batch)
                if not greeted:
                    # A client that hears no more than this has not had what it missed.
                    start = batch.cursor if since is None or not data else since
                    data = frames.HELLO % start + data
                    greeted = True
                if data:
                    yield data
