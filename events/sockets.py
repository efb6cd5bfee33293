"""WebSockets that are served until their process stops, or their caller is not recognized."""

import asyncio
from contextlib import suppress

from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.callers import Caller
from accounts.watch import NotRecognized, Watch
from accounts.watching import watching
from events import slots
from problems import Problem, http

REFUSED = 4000  # plus the HTTP status; a browser learns no more than this code and the sentence
RESTARTS = 1012
BROKEN = 1011
LONGEST_SENTENCE = 123  # bytes that a close frame has room for


class ServedConsumer(AsyncWebsocketConsumer):
    """One socket. What it is sent says `serve`, in a task of its own."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.serving: asyncio.Task[None] | None = None

    def holder(self) -> str:
        """Whose slot it takes; "": nobody's in particular."""
        return ""

    async def prepare(self) -> None:
        """Before it is served. Raises the Problem why it is refused."""

    async def serve(self, watch: Watch) -> tuple[int, str]:
        """Send until there is no more to send; the code and the sentence to close with."""
        raise NotImplementedError

    def leave(self) -> None:
        """Let go of what it had; nothing more is sent."""

    async def connect(self) -> None:
        """Accept and serve, or close with a code and a sentence; silence would tell nothing."""
        await self.accept()
        try:
            if self.scope["problem"]:
                raise self.scope["problem"]
            slots.check(self.holder())
            await self.prepare()
        except Problem as problem:
            await self.close(REFUSED + http.status_of(problem), _fitting(problem.message))
        else:
            serving = self._serve(self.scope["auth"])
            self.serving = asyncio.create_task(serving, name=type(self).__name__)

    async def disconnect(self, code: int) -> None:
        if self.serving is not None:
            self.serving.cancel()
            await asyncio.wait([self.serving])

    async def _serve(self, caller: Caller) -> None:
        """Serve until the end, of which the client is told too when something else brings it."""
        code, sentence = BROKEN, ""
        try:
            with slots.taken(self.holder()), suppress(OSError):  # a client may leave at any moment
                async with watching(caller) as watch:
                    code, sentence = await self.serve(watch)
                watch.check()
        except NotRecognized as problem:
            code, sentence = REFUSED + http.status_of(problem), problem.message
        finally:
            self.leave()
            with suppress(OSError):
                await self.close(code, _fitting(sentence))


def _fitting(sentence: str) -> str:
    return sentence.encode()[:LONGEST_SENTENCE].decode(errors="ignore")
