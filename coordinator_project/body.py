"""The body of a request, read whole at the door before anything else looks at it."""

from a2wsgi.asgi_typing import HTTPScope, Receive, ReceiveEvent, Send
from django.conf import settings

from coordinator_project.requests import HEADER, id_for
from problems import http

READ_AT_MOST = 16 * 1024 * 1024


class Refused(Exception):
    """The body is larger than the coordinator takes."""

    def __init__(self, scope: HTTPScope) -> None:
        super().__init__()
        self.scope = scope

    async def answer(self, send: Send) -> None:
        """Say so in the form of the path's API family."""
        given = next((v for k, v in self.scope["headers"] if k == b"x-request-id"), b"")
        message = f"The body is larger than {settings.MAX_BODY_BYTES} bytes."
        body = http.encode(self.scope["path"], "payload_too_large", message)
        await send(
            {
                "type": "http.response.start",
                "status": 413,
                "headers": [
                    (b"content-type", http.JSON.encode()),
                    (b"content-length", b"%d" % len(body)),
                    (HEADER.lower().encode(), id_for(given.decode("latin-1")).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def body_of(scope: HTTPScope, receive: Receive) -> bytes | None:
    """The whole body; None when the client left before it was there.

    A body without Content-Length reaches WSGI empty otherwise, and a slow client would hold a
    thread. From here on the length is known.
    """
    length, chunked, odd = b"0", False, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            chunked = True
        elif b"_" in name:
            odd = True
    if odd:
        # WSGI would take `X_Api_Key` for `X-Api-Key`, which no proxy in front would have checked.
        scope["headers"] = [header for header in scope["headers"] if b"_" not in header[0]]
    if not chunked:
        if length == b"0":
            return b""
        if int(length) > settings.MAX_BODY_BYTES:
            await _pass_over(scope, int(length), receive)
            raise Refused(scope)
    body = await _whole(scope, receive)
    if chunked and body is not None:
        headers = [header for header in scope["headers"] if header[0] != b"transfer-encoding"]
        scope["headers"] = [*headers, (b"content-length", b"%d" % len(body))]
    return body


async def _pass_over(scope: HTTPScope, length: int, receive: Receive) -> None:
    """Read on for a client that only listens when it has spoken, unless it asked or says much."""
    asked = any(name == b"expect" for name, _ in scope["headers"])
    while not asked and length <= READ_AT_MOST:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _whole(scope: HTTPScope, receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    room = settings.MAX_BODY_BYTES
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        room -= len(part)
        if room < 0:
            raise Refused(scope)
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first, then what comes from the client."""
    given = False

    async def receive_again() -> ReceiveEvent:
        nonlocal given
        while given:
            message = await receive()
            # A body known to be empty has not been taken from the server.
            if message["type"] != "http.request":
                return message
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
