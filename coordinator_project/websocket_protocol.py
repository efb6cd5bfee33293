"""One client's WebSocket: what a client does wrong ends its connection, and is no error of ours."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
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

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.handshake_complete:
            # Nothing may come before the answer; uvicorn fails at what does.
            self.transport.abort()
            return
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        # uvicorn logs a traceback for it.
        if self.curr_msg_data_type == "text" and not self.close_sent and not self._is_text():
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # dropped: the pongs of a client that does not read pile up

    def _is_text(self) -> bool:
        try:
            b"".join(self.frames).decode()
        except UnicodeDecodeError:
            return False
        return True
