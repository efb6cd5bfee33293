"""A webhook: a URL and a secret that signs, as the Standard Webhooks specification has it.

Receivers verify with any library for it, or in three lines: `webhook-signature` is "v1," and the
base64 of the HMAC-SHA256, keyed by the secret, of the id, the timestamp and the body with full
stops between them. An attempt has the message's id again, and a timestamp of its own.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from uuid import UUID

from routing import addresses, wire
from routing.addresses import Address, Unusable
from routing.wire import Cut, Deadline

CONNECT_WITHIN = 5.0  # seconds
ANSWER_WITHIN = 10.0
TARGET = re.compile(r"[\x21-\x5b\x5d-\x7e]*", re.ASCII)
LONGEST_HOST = 253
GONE = 410
TOO_MANY = 429
BUSY = 503
LONGEST_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an attempt. `error` is empty where it arrived; it never has a URL in it."""

    error: str = ""
    is_final: bool = False
    pause: float = 0.0
    """Seconds for which the receiver asks to be left alone."""


ARRIVED = Verdict()


def split(url: str) -> tuple[Address, str]:
    """Where a URL leads, and what is asked for there. Raises Unusable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Unusable("This is no URL.") from None
    server = addresses.parsed(f"{parts.scheme}://{parts.netloc}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if len(server.host) > LONGEST_HOST:
        raise Unusable("The name of its host is too long.")
    if parts.fragment or not TARGET.fullmatch(target):
        raise Unusable("It must have no fragment, no blank, and no letters beyond ASCII.")
    return server, target


def place(url: str) -> str:
    """What may be seen of a URL: not its path, which is often a secret. Raises Unusable."""
    server, _ = split(url)
    parts = urlsplit(url)
    return f"{parts.scheme}://{server.host}:{server.port}"


def signature(secret: str, message: UUID, at: int, body: bytes) -> str:
    signed = b".".join([str(message).encode(), str(at).encode(), body])
    return base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret: of base64 behind "whsec_", or those of the text itself."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secret.encode()


def headers(secret: str, message: UUID, body: bytes) -> Mapping[str, str]:
    at = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "Coordinator",
        "webhook-id": str(message),
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature(secret, message, at, body)}",
    }


def send(url: str, secret: str, message: UUID, body: bytes) -> Verdict:
    """Make one attempt. Follows no redirect, and takes any answer from 200 to 299 as arrival,
    whatever else it says: that is not read.
    """
    try:
        server, target = split(url)
        answer = wire.post(
            server,
            target,
            body,
            headers(secret, message, body),
            connect_within=CONNECT_WITHIN,
            deadline=Deadline(ANSWER_WITHIN),
            only_head=True,
        )
    except Unusable:
        return Verdict("unusable_url", is_final=True)
    except Cut as cut:
        return Verdict(cut.word)
    if 200 <= answer.status < 300:
        return ARRIVED
    pause = _pause(answer.retry_after) if answer.status in {TOO_MANY, BUSY} else 0.0
    return Verdict(f"status_{answer.status}", is_final=answer.status == GONE, pause=pause)


def _pause(retry_after: str) -> float:
    """The seconds that `Retry-After` asks for, up to a limit; 0 where it says nothing of use."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until.timestamp() - time.time(), 0.0), LONGEST_PAUSE)
