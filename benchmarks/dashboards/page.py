"""One open dashboard: a WebSocket made by hand that reads messages and answers pings."""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson

from benchmarks.coordinator import CoordinatorFailed

RECEIVE = 256 * 1024
HELLO = (
    "GET /console/live{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, CLOSE, PING = 0x81, 0x88, 0x89
PONG = 0x8A
MASK = b"\x00\x00\x00\x00"  # a client masks its frames; this mask changes nothing


@dataclass(frozen=True, slots=True)
class Message:
    """What the measurement needs of a message: the cursor, and the events with their times."""

    cursor: int
    ids: tuple[int, ...]
    made_at: tuple[float, ...]
    is_stale: bool


def read(text: bytes) -> Message:
    data = orjson.loads(text)
    events = data.get("events", [])
    return Message(
        int(data["cursor"]),
        tuple(int(event["id"]) for event in events),
        tuple(datetime.fromisoformat(event["created_at"]).timestamp() for event in events),
        "events" in data.get("stale", ()),
    )


def frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole frames out of the buffer: the first byte of each, and what it carries."""
    start = 0
    while len(buffer) >= start + 2:
        body, size = start + 2, buffer[start + 1]
        if size >= 126:
            form = ">H" if size == 126 else ">Q"
            body += struct.calcsize(form)
            if len(buffer) < body:
                break
            (size,) = struct.unpack_from(form, buffer, start + 2)
        if len(buffer) < body + size:
            break
        yield buffer[start], bytes(buffer[body : body + size])
        start = body + size
    del buffer[:start]


class DashboardPage:
    """`received`: each message with the time of its arrival. `again`: how often it reconnected."""

    # Messages of one process of the server are the same for all pages: each is read once.
    known: dict[bytes, Message] = {}

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[tuple[float, Message]] = []
        self.again = -1
        self.cursor: int | None = None
        self.connect()

    def connect(self) -> None:
        """Open, from the last cursor on."""
        self.again += 1
        self.is_open = self.is_greeted = False
        self.buffer = bytearray()
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        query = "" if self.cursor is None else f"?cursor={self.cursor}"
        self.socket.sendall(HELLO.format(query=query, port=self.port).encode())

    def receive(self) -> None:
        piece = self.socket.recv(RECEIVE)
        if not piece:
            raise CoordinatorFailed("The server has closed a dashboard's connection.")
        self.buffer += piece
        if not self.is_open:
            head, found, _ = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise CoordinatorFailed(f"A dashboard got the response {bytes(head).decode()}")
            self.is_open = True
            del self.buffer[: len(head) + len(found)]
        now = time.time()
        for kind, body in frames(self.buffer):
            if kind == TEXT:
                self._take(now, body)
            elif kind == PING:
                # The server waits for what it sent.
                self.socket.sendall(bytes([PONG, 0x80 | len(body)]) + MASK + body)
            else:
                raise CoordinatorFailed(f"A dashboard received a frame {kind:#x}: {body!r}")

    def _take(self, now: float, text: bytes) -> None:
        message = self.known.get(text)
        if message is None:
            message = self.known[text] = read(text)
        self.is_greeted = True
        self.cursor = message.cursor
        self.received.append((now, message))
