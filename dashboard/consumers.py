"""The WebSocket of pages. It only sends, and ignores what it receives."""

import asyncio
from contextlib import aclosing, suppress
from urllib.parse import parse_qs, urlsplit

from a2wsgi.asgi_typing import WebSocketScope
from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard import hub, slots
from events.subscribers import follow

PATH = "/console/live"
REFUSED = 4000  # plus the HTTP status; a browser learns no more than this code
RESTARTS = 1012
OK = 204


class Live(AsyncWebsocketConsumer):
    """One page that watches. `status`: the HTTP response to whether it may."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status
        self.sending: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        if self.status == OK and not from_our_own_pages(self.scope):
            self.status = 403
        if self.status == OK:
            self.sending = asyncio.create_task(self._send_messages(), name="console-live")
        else:
            await self.close(REFUSED + self.status)

    async def disconnect(self, code: int) -> None:
        if self.sending is not None:
            self.sending.cancel()
            await asyncio.wait([self.sending])

    async def _send_messages(self) -> None:
        with slots.taken(), suppress(OSError):  # a page may leave at any moment
            async with aclosing(follow(hub.join, _cursor_of(self.scope))) as messages:
                async for message in messages:
                    if message is not None:
                        await self.send(message.text)
            await self.close(RESTARTS)


def from_our_own_pages(scope: WebSocketScope) -> bool:
    """Whether no page of another site opened this: browsers always send the origin."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    return not origin or urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1")


def _cursor_of(scope: WebSocketScope) -> int | None:
    """The cursor in the query, already validated over HTTP."""
    given = parse_qs(scope["query_string"].decode("latin-1")).get("cursor")
    return int(given[-1]) if given else None
