"""The body of a request, read whole before Django sees the request."""

from a2wsgi.asgi_typing import HTTPScope, Receive, ReceiveEvent, Send
from django.conf import settings

from coordinator_project.requests import HEADER, id_for
from problems import http

READ_AT_MOST = 16 * 1024 * 1024


class BodyTooLarge(Exception):
    """The body is larger than MAX_BODY_BYTES."""

    def __init__(self, scope: HTTPScope) -> None:
        super().__init__()
        self.scope = scope

    async def answer(self, send: Send) -> None:
        """Answer 413 in the form of the path's API family."""
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
    """Read the whole body; None if the client disconnects before its end.

    Otherwise a body without Content-Length would reach WSGI empty, and a slow client would occupy a
    thread. From here on, the length is known.
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
            raise BodyTooLarge(scope)
    body = await _whole(scope, receive)
    if chunked and body is not None:
        headers = [header for header in scope["headers"] if header[0] != b"transfer-encoding"]
        scope["headers"] = [*headers, (b"content-length", b"%d" % len(body))]
    return body


async def _pass_over(scope: HTTPScope, length: int, receive: Receive) -> None:
    """Read and drop a body that is too large, for clients that read no answer before its end.

    Not for a client that sent `Expect`, nor for a body beyond READ_AT_MOST.
    """
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
            raise BodyTooLarge(scope)
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns `body` first, then the client's messages."""
    given = False

    async def receive_again() -> ReceiveEvent:
        nonlocal given
        while given:
            message = await receive()
            # The server still has the message of a body that is known to be empty.
            if message["type"] != "http.request":
                return message
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
