"""Answers of WSGI requests, made in threads that wait for no client.

A thread makes as much of an answer as may wait in memory, then it is free; it goes on when the
client has taken that. What was made at once and is larger waits in a file.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from io import BytesIO

from a2wsgi.asgi_typing import HTTPScope, Receive, Send, SendEvent
from a2wsgi.wsgi import WSGIResponder, build_environ
from a2wsgi.wsgi_typing import Environ, WSGIApp
from django.db import close_old_connections

from coordinator_project.refusals import send_refusal
from coordinator_project.spool import MEMORY, Spool
from coordinator_project.threads import Busy, Lane
from problems import errors

PIECE = 64 * 1024  # bytes that are sent at a time
MOST_UNFINISHED = 1_000  # answers of this process that are made piece by piece

_unfinished: set["Responder"] = set()


class Responder(WSGIResponder):
    """One request in the threads of a lane, with its whole `body`."""

    def __init__(self, app: WSGIApp, lane: Lane, body: bytes | Spool) -> None:
        super().__init__(app, lane.executor, 0)
        self.lane = lane
        self.body = body
        self.run = copy_context().run
        self.start: SendEvent | None = None
        self.made: bytes | Spool = b""
        self.pieces: Iterator[bytes] = iter(())
        self.end: Callable[[], object] | None = None

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Run the application in a thread, and send its answer as fast as the client takes it.

        When the client leaves, the rest is not made.
        """
        file = self.body.file if isinstance(self.body, Spool) else BytesIO(self.body)
        environ = build_environ(scope, file)  # type: ignore[arg-type]  # any file will do
        try:
            more = await self.lane.run(partial(self.run, self._begin, environ))
        except Exception as problem:
            meaning = errors.meaning_of(problem)
            if meaning is None:
                raise
            await send_refusal(meaning, scope, send)
            return
        if more or isinstance(self.made, Spool):
            await self._send_slowly(receive, send, more=more)
        elif self.start is not None:
            await send(self.start)
            await send({"type": "http.response.body", "body": self.made, "more_body": False})

    def send(self, message: SendEvent | None) -> None:
        """Keep the head of the answer; called by a2wsgi when the application gives it."""
        self.start = message

    def _begin(self, environ: Environ) -> bool:
        """Make the answer, or as much of a stream as may wait. Returns whether there is more."""
        answer = self.app(environ, self.start_response)
        self.end = getattr(answer, "close", _nothing)
        self.pieces = iter(answer)
        more = self._make(whole=not getattr(answer, "streaming", True))
        if more and environ["REQUEST_METHOD"] == "HEAD":
            self._end()
            return False
        if more and len(_unfinished) >= MOST_UNFINISHED:
            self._end()
            raise Busy
        return more

    def _go_on(self) -> bool:
        """Make more of a stream, perhaps in another thread than before."""
        close_old_connections()
        return self._make()

    def _make(self, *, whole: bool = False) -> bool:
        parts: list[bytes] = []
        size = 0
        try:
            for piece in self.pieces:
                parts.append(piece)
                size += len(piece)
                if size > MEMORY and not whole:
                    break
            else:
                self._end()
            self.made = _kept(parts, size)
        except BaseException:
            self._end()
            raise
        return self.end is not None

    def _end(self) -> None:
        end, self.end = self.end, None
        if end is not None:
            end()

    async def _send_slowly(self, receive: Receive, send: Send, *, more: bool) -> None:
        """Send piece by piece; `send` returns when the client has taken most of those before."""
        gone = asyncio.create_task(_gone(receive))
        _unfinished.add(self)
        try:
            if self.start is not None:
                await send(self.start)
            await self._send_made(send)
            while more and not gone.done():
                more = await self.lane.run(partial(self.run, self._go_on))
                await self._send_made(send)
            if not more:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception as problem:
            # The head is sent: all that is left is to cut the connection.
            if errors.meaning_of(problem) is None:
                raise
        finally:
            gone.cancel()
            _unfinished.discard(self)
            if self.end is not None:
                self.executor.submit(self._end)

    async def _send_made(self, send: Send) -> None:
        made, self.made = self.made, b""
        try:
            for piece in _pieces_of(made):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            if isinstance(made, Spool):
                made.close()


def _kept(parts: list[bytes], size: int) -> bytes | Spool:
    if size <= 2 * MEMORY:
        return b"".join(parts)
    spool = Spool()
    with ExitStack() as stack:
        stack.callback(spool.close)
        for part in parts:
            spool.write(part)
        spool.file.seek(0)
        stack.pop_all()
    return spool


def _pieces_of(made: bytes | Spool) -> Iterator[bytes]:
    if isinstance(made, Spool):
        yield from iter(partial(made.file.read, PIECE), b"")
    elif made:
        yield made


def _nothing() -> None:
    pass


async def _gone(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
