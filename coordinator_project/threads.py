"""WSGI requests in threads, by a2wsgi with fewer switches between threads.

By itself, a2wsgi switches between thread and event loop for each piece of the body and of the
answer. Here the body is read before the thread starts, and an answer of usual size is passed on
once.
"""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from a2wsgi.asgi_typing import Send, SendEvent
from a2wsgi.wsgi import WSGIResponder
from a2wsgi.wsgi_typing import Environ, StartResponse, WSGIApp

KEPT_AT_MOST = 4 * 1024 * 1024
QUEUE = 10


class Responder(WSGIResponder):
    """One request in a thread, with its whole `body`."""

    def __init__(self, app: WSGIApp, threads: ThreadPoolExecutor, body: bytes) -> None:
        super().__init__(app, threads, QUEUE)
        self.body = body
        self.head: SendEvent | None = None
        self.pieces: list[bytes] = []
        self.room = KEPT_AT_MOST

    def wsgi(self, environ: Environ, start_response: StartResponse) -> None:
        """Run the application (in the thread)."""
        environ["wsgi.input"] = BytesIO(self.body)
        super().wsgi(environ, start_response)

    def send(self, message: SendEvent | None) -> None:
        """Keep the application's messages until it has ended, or until they are large."""
        if message is None or self.room < 0:
            super().send(message)
        elif message["type"] == "http.response.start":
            self.head = message
        elif message["type"] == "http.response.body":
            piece = message.get("body", b"")
            self.pieces.append(piece)
            self.room -= len(piece)
            if self.room < 0:
                super().send(self.head)
                super().send(self._pieces(more=True))

    async def sender(self, send: Send) -> None:
        """Send a large answer piece by piece, a small one when the application has ended."""
        await super().sender(send)
        if self.head is not None and self.room >= 0:
            await send(self.head)
            await send(self._pieces(more=False))

    def _pieces(self, *, more: bool) -> SendEvent:
        body = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        return {"type": "http.response.body", "body": body, "more_body": more}
