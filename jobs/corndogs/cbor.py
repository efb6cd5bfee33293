"""Corndogs by CBOR over TCP: frames of four bytes of length and a map (contract 001, 4.2)."""

import select
import socket
import struct

import cbor2

from jobs.corndogs import faces
from jobs.corndogs.addresses import Address
from jobs.corndogs.faces import (
    Deadline,
    Message,
    Uncertain,
    UnknownCall,
    Unreachable,
    refusal,
    spelled,
)

SERVICE = "CorndogsService"
VERSION = 1
ENCODED = 24
"""The tag of a value that is CBOR again."""
UNKNOWN_CALL = 2
STATUSES = {
    1: "it finds the request malformed",
    UNKNOWN_CALL: "it has no such call",
    3: "it wants a valid CORNDOGS_API_KEY",
    4: "it does not allow this",
    5: "it speaks another version",
    6: "it has an internal error",
    7: "it is unavailable",
    8: "it took too long",
}


class Garbage(Exception):
    """What came is no answer."""


class CborFace:
    """One connection, kept for the next call and given up after whatever went wrong."""

    def __init__(self, address: Address, key: str) -> None:
        self.address = address
        self.key = key
        self.number = 0
        self.socket: socket.socket | None = None

    def close(self) -> None:
        kept, self.socket = self.socket, None
        if kept is not None:
            kept.close()

    def call(self, name: str, request: Message) -> Message:
        connected = self._connected()
        self.number += 1
        deadline = Deadline(faces.ANSWER_SECONDS)
        try:
            connected.settimeout(deadline.left())
            connected.sendall(framed(self._envelope(name, request)))
            answer = decoded(received(connected, deadline))
            if answer.get("id", self.number) != self.number:
                raise Garbage("it answers another call")
            return self._content(name, answer)
        except (OSError, Garbage) as problem:
            self.close()
            raise Uncertain(f"{self.address}: {spelled(problem)}") from None

    def _connected(self) -> socket.socket:
        """The connection; one that has something to say unasked, such as its end, is renewed."""
        if self.socket is not None and select.select([self.socket], [], [], 0)[0]:
            self.close()
        if self.socket is None:
            try:
                self.socket = socket.create_connection(
                    (self.address.host, self.address.port), faces.CONNECT_SECONDS
                )
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, ValueError) as problem:  # a name may be none
                self.close()
                raise Unreachable(f"{self.address}: {spelled(problem)}") from None
        return self.socket

    def _envelope(self, name: str, request: Message) -> bytes:
        envelope = {
            "v": VERSION,
            "service": SERVICE,
            "op": name,
            "id": self.number,
            "payload": cbor2.CBORTag(ENCODED, cbor2.dumps(request)),
        }
        return cbor2.dumps(envelope | ({"auth": self.key} if self.key else {}))

    def _content(self, name: str, answer: Message) -> Message:
        """What was answered. Raises what the server refuses, or Garbage."""
        status = answer.get("status", 0)
        if status != 0:
            meaning = STATUSES.get(status) if isinstance(status, int) else None
            text = self._said(name, meaning or f"status {status}", answer.get("error"))
            raise UnknownCall(text) if status == UNKNOWN_CALL else refusal(text)
        payload = answer.get("payload")
        if isinstance(payload, cbor2.CBORTag):
            payload = payload.value
        content: Message = decoded(payload) if payload else {}
        if answer.get("variant") == "ServiceError":
            raise refusal(self._said(name, f"error {content.get('code')}", content.get("message")))
        return content

    def _said(self, name: str, *words: object) -> str:
        said = ": ".join(str(word) for word in words if word)
        return f"{self.address} refuses {name}: {faces.without(self.key, said)}"


def framed(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def received(connected: socket.socket, deadline: Deadline) -> bytes:
    """The next frame. Raises OSError or Garbage."""
    (length,) = struct.unpack(">I", _exactly(connected, 4, deadline))
    if length > faces.LARGEST:
        raise Garbage(f"a frame of {length} bytes is too large")
    return _exactly(connected, length, deadline)


def _exactly(connected: socket.socket, count: int, deadline: Deadline) -> bytes:
    found = bytearray()
    while len(found) < count:
        connected.settimeout(deadline.left())
        part = connected.recv(min(count - len(found), 1 << 16))
        if not part:
            raise Garbage("it ended the connection")
        found += part
    return bytes(found)


def decoded(content: object) -> Message:
    """The map that these bytes are. Raises Garbage."""
    try:
        found = cbor2.loads(content) if isinstance(content, bytes) else content
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, MemoryError):
        raise Garbage("what it sends is no CBOR") from None
    if not isinstance(found, dict):
        raise Garbage("what it sends is no map")
    return found
