"""One request to a provider: bounded in time and size, without redirects, and without secrets.

Python's own `http.client`, which follows nothing, retries nothing and reads no proxy from the
environment (ADR 30). No exception of this module has a header or a body in its message.
"""

import http.client
import io
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from routing.addresses import Address


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
class Answer:
    """What the provider sent, whatever its status."""

    status: int
    retry_after: str
    body: bytes


class Real(Protocol):
    """A socket, with or without TLS."""

    def settimeout(self, value: float | None, /) -> None: ...
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


def post(
    address: Address,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    connect_within: float,
    deadline: Deadline,
    longest: int,
) -> Answer:
    """Send a body to `path` below the address, on a connection of its own. Raises Cut."""
    connection = _connected(address, min(connect_within, deadline.left()))
    real: Real = connection.sock
    try:
        real.settimeout(deadline.left())
        connection.request("POST", address.path + path, body, dict(headers))
        connection.sock = _Bounded(real, deadline)
        response = connection.getresponse()
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
    return Answer(response.status, response.headers.get("Retry-After", ""), content)


def _connected(address: Address, within: float) -> http.client.HTTPConnection:
    connection = (
        http.client.HTTPSConnection(
            address.host, address.port, timeout=within, context=_verifying()
        )
        if address.secure
        else http.client.HTTPConnection(address.host, address.port, timeout=within)
    )
    try:
        connection.connect()
    except TimeoutError:
        connection.close()
        raise TimedOut(was_sent=False) from None
    except (OSError, ValueError):  # a name may be none
        connection.close()
        raise Cut(was_sent=False) from None
    return connection


@cache
def _verifying() -> ssl.SSLContext:
    """Certificates and names are verified, by those that the system trusts."""
    return ssl.create_default_context()


class _Bounded(io.RawIOBase):
    """A socket, as far as a response wants one, that is read until the deadline at most."""

    def __init__(self, real: Real, deadline: Deadline) -> None:
        self.real = real
        self.deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.real.settimeout(self.deadline.left())
        return self.real.recv_into(buffer)

    def close(self) -> None:
        """The connection gives it up before its answer is read; `post` closes it."""
