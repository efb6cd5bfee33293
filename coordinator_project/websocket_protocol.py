"""One client's WebSocket, and what has to come before there is one."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

MESSAGE = (
    "A WebSocket begins with a GET of version 13 with a key, without a body,"
    " and with no line longer than 8,192 bytes."
)


def is_handshake(head: bytes) -> bool:
    """Whether a WebSocket may begin with this head of a request."""
    trial = ServerProtocol()
    trial.receive_data(head)
    return any(
        isinstance(request, Request) and trial.accept(request).status_code == 101
        for request in trial.events_received()
    )


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol. `opened_at`: since when the handshake has been waited for."""

    opened_at: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.opened_at = self.loop.time()
