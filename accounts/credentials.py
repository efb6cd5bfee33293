"""The secrets that authenticate a request, and how it carries them."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest

from accounts import recognition

PREFIX = "coordinator_"
"""How each token begins, so that one that has leaked can be searched for."""

RANDOM_BYTES = 32
ISSUED_FORM = re.compile(PREFIX.encode() + b"[0-9a-f]{%d}" % (2 * RANDOM_BYTES))


def issued() -> bool:
    """Whether any credential exists that a caller could have; up to five seconds late."""
    return bool(settings.COORDINATOR_AUTH_TOKEN) or recognition.any_issued()


def new_token() -> str:
    return PREFIX + secrets.token_hex(RANDOM_BYTES)


def is_shared_token(secret: bytes) -> bool:
    """Whether this is the shared token, compared in constant time."""
    return _is(secret, settings.COORDINATOR_AUTH_TOKEN)


def is_agent_key(secret: bytes) -> bool:
    """Whether this is the key that all SPOTs share; false while none is set."""
    return _is(secret, settings.ORHESTRA_AGENT_KEY)


def recognized(secret: bytes) -> recognition.Recognized | None:
    """Whose issued token this is. What has not the form of one is not looked up."""
    return recognition.of(digest(secret)) if ISSUED_FORM.fullmatch(secret) else None


def offered(request: HttpRequest) -> Iterator[bytes]:
    """Every secret in the headers of the request."""
    scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        yield bearer.strip().encode("latin-1", "replace")
    if key := request.META.get("HTTP_X_API_KEY", ""):
        yield key.encode("latin-1", "replace")


def digest(secret: bytes) -> bytes:
    """What is stored of a token: it has so much chance that it needs no salt and no slow hash."""
    return hashlib.sha256(secret).digest()


def _is(secret: bytes, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(digest(secret), digest(expected.encode()))
