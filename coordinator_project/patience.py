"""How long a client may stand still: while it sends a request, and while it reads an answer.

A look at all connections once a second costs the requests nothing. How far a client has come is
what the kernel has sent to it and received from it.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol as Shape

from coordinator_project.http_protocol import Protocol
from coordinator_project.websocket_protocol import WebSocketProtocol
from problems import TooSlow

HEAD_WITHIN = 20.0  # seconds for a whole head, and for the handshake of a WebSocket
STILL = 20.0  # seconds without a byte
GRACE = 20.0  # seconds before the rate counts
RATE = 4096  # bytes a second, over the whole body or answer
SENT_AND_RECEIVED = struct.Struct("=QQ")
OFFSET = 120  # of tcpi_bytes_acked and tcpi_bytes_received in Linux' struct tcp_info
SIZE = OFFSET + SENT_AND_RECEIVED.size


class Connection(Shape):
    """A connection of uvicorn: HTTP or a WebSocket."""

    transport: asyncio.Transport


@dataclass(slots=True)
class Progress:
    """Of one client that is waited for: whether it reads, since when, and how far it has come."""

    reads: bool
    began: float
    first: int
    moved: float
    last: int

    def is_too_slow(self, now: float, bytes_now: int) -> bool:
        if bytes_now > self.last:
            self.last, self.moved = bytes_now, now
        owed = (now - self.began - GRACE) * RATE
        return now - self.moved > STILL or bytes_now - self.first < owed


class Patience:
    """Watches the connections of a process."""

    def __init__(self) -> None:
        self.waited_for: dict[Connection, Progress] = {}

    def look(self, connections: Iterable[Connection]) -> None:
        """Cut the connections whose clients are too slow. To be called about once a second."""
        now = time.monotonic()
        before, self.waited_for = self.waited_for, {}
        for connection in list(connections):
            reads = connection.transport.get_write_buffer_size() > 0
            if not reads and not _sends(connection):
                _check_head(connection)
                continue
            sent, received = _moved(connection.transport)
            moved = sent if reads else received
            progress = before.get(connection)
            if progress is None or progress.reads != reads:
                progress = Progress(reads, now, moved, now, moved)
            if not progress.is_too_slow(now, moved):
                self.waited_for[connection] = progress
            elif isinstance(connection, Protocol) and not reads:
                connection.refuse(TooSlow("The body comes too slowly."))
            else:
                connection.transport.abort()


def _sends(connection: Connection) -> bool:
    """Whether the rest of a body is missing, and we would read it."""
    if not isinstance(connection, Protocol) or connection.flow.read_paused:
        return False
    cycle = connection.cycle
    return cycle is not None and cycle.more_body and not cycle.response_complete


def _check_head(connection: Connection) -> None:
    if isinstance(connection, WebSocketProtocol) and not connection.handshake_complete:
        if connection.loop.time() >= connection.opened_at + HEAD_WITHIN:
            connection.transport.abort()
        return
    if not isinstance(connection, Protocol) or connection.head_since is None:
        return
    if connection.refused or connection.loop.time() < connection.head_since + HEAD_WITHIN:
        return
    if connection.loose:
        connection.refuse(TooSlow("The head of the request did not come in time."))
    else:
        connection.transport.abort()


def _moved(transport: asyncio.Transport) -> tuple[int, int]:
    """The bytes that the client has acknowledged, and those that it has sent."""
    tcp: socket.socket = transport.get_extra_info("socket")
    try:
        info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SIZE)
        sent, received = SENT_AND_RECEIVED.unpack_from(info, OFFSET)
    except (OSError, struct.error):
        return 0, 0
    return sent, received
