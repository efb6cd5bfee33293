"""One request to a provider: bounded in time and size, without redirects, and without secrets.

Python's own `http.client`, which follows nothing, retries nothing and reads no proxy from the
environment (ADR 30). Time and size are bounded below it, at the socket, whatever it makes of an
answer. No exception of this module has a header or a body in its message.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from routing.addresses import Address

HEAD = 64 * 1024
"""Bytes of an answer before its body."""


class Cut(Exception):
    """There is no answer. `was_sent`: it may have taken effect, and may cost something."""

    word = "connection"

    def __init__(self, *, was_sent: bool) -> None:
        super().__init__(self.word)
        self.was_sent = was_sent


class TimedOut(Cut):
    """The answer was not complete in time."""

    word = "timeout"


class TooLong(Cut):
    """The answer is longer than it may be."""

    word = "answer_too_long"


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What the provider sent, whatever its status."""

    status: int
    retry_after: str
    body: bytes


class Real(Protocol):
    """A socket, with or without TLS."""

    def settimeout(self, value: float | None, /) -> None: ...
    def send(self, data: Any, /) -> int: ...
    def recv_into(self, buffer: Any, /) -> int: ...
    def close(self) -> None: ...


class Deadline:
    """When an answer has to be complete."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def within(self, seconds: float) -> "Deadline":
        """That of a part, which has so many seconds at most."""
        return Deadline(min(seconds, self.at - time.monotonic()))


def post(
    address: Address,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    connect_within: float,
    deadline: Deadline,
    longest: int = 0,
    only_head: bool = False,
) -> ProviderAnswer:
    """Send a body to `path` below the address, on a connection of its own. Raises Cut.

    `only_head`: the status is all that is wanted; what comes behind the headers is not read.
    """
    real = _connected(address, deadline.within(connect_within))
    # Framed by chunks a body may be longer on the way than it is.
    bounded = Bounded(real, deadline, HEAD + 2 * longest)
    try:
        connection = _speaking(address)
        connection.sock = bounded
        connection.request("POST", address.path + path, body, dict(headers))
        response = connection.getresponse()
        if only_head:
            return ProviderAnswer(response.status, response.headers.get("Retry-After", ""), b"")
        content = response.read(longest + 1)
        if response.length:  # it said that there is more
            raise (TooLong if len(content) > longest else Cut)(was_sent=True)
    except TimeoutError:
        raise TimedOut(was_sent=True) from None
    except (OSError, http.client.HTTPException, ValueError):
        raise Cut(was_sent=True) from None
    finally:
        real.close()
    if len(content) > longest:
        raise TooLong(was_sent=True)
    return ProviderAnswer(response.status, response.headers.get("Retry-After", ""), content)


def _connected(address: Address, deadline: Deadline) -> Real:
    """A connection. The system finds the host's addresses in its own time. Raises Cut."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        plain = _to_one_of([(one[0], one[4]) for one in found], deadline)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(deadline.left())
        if not address.secure:
            return plain
        return _verifying().wrap_socket(plain, server_hostname=address.host)
    except TimeoutError:
        raise TimedOut(was_sent=False) from None
    except (OSError, ValueError):  # a name may be none
        raise Cut(was_sent=False) from None


def _to_one_of(places: Sequence[tuple[int, Any]], deadline: Deadline) -> socket.socket:
    """A socket to the first that takes one; each gets its share of the time that is left."""
    problem = OSError("There is no address.")
    for number, (family, place) in enumerate(places):
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(deadline.left() / (len(places) - number))
            plain.connect(place)
        except OSError as failed:
            plain.close()
            problem = failed
        else:
            return plain
    raise problem


def _speaking(address: Address) -> http.client.HTTPConnection:
    """HTTP as the address speaks it, without a connection yet."""
    if address.secure:
        return http.client.HTTPSConnection(address.host, address.port, context=_verifying())
    return http.client.HTTPConnection(address.host, address.port)


@cache
def _verifying() -> ssl.SSLContext:
    """Certificates and names are verified, by those that the system trusts."""
    return ssl.create_default_context()


class Bounded(io.RawIOBase):
    """A socket, as far as HTTP wants one: until the deadline, and for so many bytes of an answer.

    Otherwise an answer could have all that it likes by saying that a chunk has -1 bytes, and who
    reads a question slowly as much time as it likes.
    """

    def __init__(self, real: Real, deadline: Deadline, most: int) -> None:
        self.real = real
        self.deadline = deadline
        self.left = most

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.real.settimeout(self.deadline.left())
            rest = rest[self.real.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.real.settimeout(self.deadline.left())
        count = self.real.recv_into(buffer)
        self.left -= count
        if self.left < 0:
            raise TooLong(was_sent=True)
        return count

    def close(self) -> None:
        """The connection gives it up before its answer is read; `post` closes it."""
