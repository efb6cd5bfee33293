"""Uploads: bodies that the view reads from the client as they come, so they may be of any size.

The exception to the limit of bodies (`body.py`), for the paths of `threads.is_upload` alone; the
view says how large they may be. The server stops reading where the view is slower than the client.
"""

import asyncio
from collections.abc import AsyncIterator

from a2wsgi.asgi_typing import HTTPScope, Receive, ReceiveEvent

from api.uploads import KEY, ClientLeft


class Upload:
    """The messages of one client, for the view and, behind these, for Django."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.over = asyncio.Event()
        self.left = self.begun = False

    def join(self, scope: HTTPScope) -> None:
        """Put the body into the scope; Django sees an empty one."""
        # WSGI would take `X_Api_Key` for `X-Api-Key`, and so would Django.
        scope["headers"] = [header for header in scope["headers"] if b"_" not in header[0]]
        scope[KEY] = self.parts()  # type: ignore[literal-required]  # ours

    async def parts(self) -> AsyncIterator[bytes]:
        try:
            more = True
            while more:
                message = await self.receive()
                if message["type"] != "http.request":
                    self.left = True
                    raise ClientLeft
                yield message.get("body", b"")
                more = message.get("more_body", False)
        finally:
            self.over.set()

    async def receive_for_django(self) -> ReceiveEvent:
        """An empty body; then, once the view has read to the end, that the client has left.

        Not before: Django would cancel the view, which finds out itself.
        """
        if not self.begun:
            self.begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.over.wait()
        if self.left:
            return {"type": "http.disconnect"}
        while (message := await self.receive())["type"] == "http.request":
            pass
        return message
