"""WSGI requests in threads, by a2wsgi with one switch to a thread and back.

By itself, a2wsgi switches between thread and event loop for each piece of the body and of the
answer. Here the body is read before the thread starts, and an answer of usual size is sent when
the thread has ended.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from io import BytesIO

from a2wsgi.asgi_typing import HTTPScope, Receive, Send, SendEvent
from a2wsgi.wsgi import WSGIResponder, build_environ
from a2wsgi.wsgi_typing import WSGIApp

KEPT_AT_MOST = 4 * 1024 * 1024


class Responder(WSGIResponder):
    """One request in a thread, with its whole `body`."""

    asgi_send: Send

    def __init__(self, app: WSGIApp, threads: ThreadPoolExecutor, body: bytes) -> None:
        super().__init__(app, threads, 0)
        self.body = body
        self.kept: list[SendEvent] = []
        self.room = KEPT_AT_MOST

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Run the application in a thread, and send what it has left."""
        self.asgi_send = send
        environ = build_environ(scope, BytesIO(self.body))  # type: ignore[arg-type]  # any file will do
        run = copy_context().run
        await self.loop.run_in_executor(self.executor, run, self.wsgi, environ, self.start_response)
        if self.exc_info is not None:
            raise self.exc_info[1]
        for message in self._kept_as_two():
            await send(message)

    def send(self, message: SendEvent | None) -> None:
        """Keep a message of the application, or pass it on when the answer is large.

        In the thread, which waits until a large answer's piece is sent.
        """
        if message is None:
            return
        self.kept.append(message)
        if message["type"] == "http.response.body":
            self.room -= len(message.get("body", b""))
        if self.room < 0:
            for kept in self.kept:
                asyncio.run_coroutine_threadsafe(_send(self.asgi_send, kept), self.loop).result()
            self.kept = []

    def _kept_as_two(self) -> list[SendEvent]:
        """The head of the answer and its body; nothing if the answer was passed on."""
        if not self.kept:
            return []
        body = b"".join(
            kept.get("body", b"") for kept in self.kept if kept["type"] == "http.response.body"
        )
        return [self.kept[0], {"type": "http.response.body", "body": body, "more_body": False}]


async def _send(send: Send, message: SendEvent) -> None:
    await send(message)
