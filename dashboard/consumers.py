"""The WebSocket of pages. It only sends, and ignores what it receives."""

import asyncio
from contextlib import aclosing, suppress
from urllib.parse import parse_qs

from a2wsgi.asgi_typing import WebSocketScope
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.callers import Caller
from accounts.watch import NotRecognized
from accounts.watching import watching
from dashboard import hub, slots
from dashboard.stream import as_cursor
from events.subscribers import follow
from problems import Problem, http

REFUSED = 4000  # plus the HTTP status; a browser learns no more than this code and the sentence
RESTARTS = 1012
BROKEN = 1011
LONGEST_SENTENCE = 123  # bytes that a close frame has room for


class Live(AsyncWebsocketConsumer):
    """One page that watches."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.since: int | None = None
        self.sending: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Accept and send, or close with a code and a sentence; silence would tell nothing."""
        await self.accept()
        try:
            if self.scope["problem"]:
                raise self.scope["problem"]
            slots.check()
            self.since = _cursor_of(self.scope)
        except Problem as problem:
            await self.close(REFUSED + http.status_of(problem), _fitting(problem.message))
        else:
            sending = self._send_messages(self.scope["auth"])
            self.sending = asyncio.create_task(sending, name="console-live")

    async def disconnect(self, code: int) -> None:
        if self.sending is not None:
            self.sending.cancel()
            await asyncio.wait([self.sending])

    async def _send_messages(self, caller: Caller) -> None:
        """Send until the process stops; the page is told too when something else ends it."""
        code, sentence = BROKEN, ""
        try:
            with slots.taken(), suppress(OSError):  # a page may leave at any moment
                async with (
                    watching(caller) as watch,
                    aclosing(follow(hub.join, self.since, watch=watch)) as messages,
                ):
                    async for message in messages:
                        if message is not None:
                            await self.send(message.text)
                watch.check()
            code = RESTARTS
        except NotRecognized as problem:
            code, sentence = REFUSED + http.status_of(problem), problem.message
        finally:
            with suppress(OSError):
                await self.close(code, sentence)


def _cursor_of(scope: WebSocketScope) -> int | None:
    """The cursor in the query. Raises Invalid where it is none."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return as_cursor(query["cursor"][-1]) if "cursor" in query else None


def _fitting(sentence: str) -> str:
    return sentence.encode()[:LONGEST_SENTENCE].decode(errors="ignore")
