"""The WebSocket of pages. It only sends, and ignores what it receives."""

from contextlib import aclosing
from urllib.parse import parse_qs

from a2wsgi.asgi_typing import WebSocketScope

from accounts.watch import Watch
from dashboard import hub
from events.sockets import RESTARTS, ServedConsumer
from events.sse import as_cursor
from events.subscribers import follow


class Live(ServedConsumer):
    """One page that watches."""

    since: int | None = None

    async def prepare(self) -> None:
        self.since = _cursor_of(self.scope)

    async def serve(self, watch: Watch) -> tuple[int, str]:
        async with aclosing(follow(hub.join, self.since, watch=watch)) as messages:
            async for message in messages:
                if message is not None:
                    await self.send(message.text)
        return RESTARTS, ""


def _cursor_of(scope: WebSocketScope) -> int | None:
    """The cursor in the query. Raises Invalid where it is none."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return as_cursor(query["cursor"][-1]) if "cursor" in query else None
