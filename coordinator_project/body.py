"""The body of a request, read whole before Django sees the request."""

from contextlib import ExitStack

from a2wsgi.asgi_typing import HTTPScope, Receive, ReceiveEvent
from django.conf import settings

from coordinator_project.spool import MEMORY, Spool
from problems import TooLarge

READ_AT_MOST = 16 * 1024 * 1024


class BodyTooLarge(TooLarge):
    """The body is larger than MAX_BODY_BYTES."""

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {settings.MAX_BODY_BYTES} bytes.")


async def body_of(scope: HTTPScope, receive: Receive) -> bytes | Spool | None:
    """Read the whole body; None if the client disconnects before its end.

    Otherwise a body without Content-Length would reach WSGI empty, and a slow client would occupy a
    thread. From here on, the length is known. A large one that comes in parts waits in a file,
    which the caller closes.
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
            raise BodyTooLarge
    body = await _whole(receive)
    if chunked and body is not None:
        size = body.size if isinstance(body, Spool) else len(body)
        headers = [header for header in scope["headers"] if header[0] != b"transfer-encoding"]
        scope["headers"] = [*headers, (b"content-length", b"%d" % size)]
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


async def _whole(receive: Receive) -> bytes | Spool | None:
    """All parts together. Most bodies are one; a client may take its time for the parts."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > settings.MAX_BODY_BYTES:
            raise BodyTooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        if size > MEMORY:
            return await _in_file(parts, receive)


async def _in_file(parts: list[bytes], receive: Receive) -> Spool | None:
    """These parts and the following ones, in a file."""
    spool = Spool()
    with ExitStack() as stack:
        stack.callback(spool.close)
        for part in parts:
            spool.write(part)
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            spool.write(message.get("body", b""))
            if spool.size > settings.MAX_BODY_BYTES:
                raise BodyTooLarge
            more = message.get("more_body", False)
        spool.file.seek(0)
        stack.pop_all()
    return spool


def replay(body: bytes | Spool, receive: Receive) -> Receive:
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
        whole = body.file.read() if isinstance(body, Spool) else body
        return {"type": "http.request", "body": whole, "more_body": False}

    return receive_again
