"""The secrets that authenticate a request, and how it carries them."""

import hashlib
import hmac
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest


def issued() -> bool:
    """Whether any credential exists that a caller could have."""
    return bool(settings.COORDINATOR_AUTH_TOKEN)


def is_shared_token(secret: bytes) -> bool:
    """Whether this is the shared token, compared in constant time."""
    return _is(secret, settings.COORDINATOR_AUTH_TOKEN)


def is_agent_key(secret: bytes) -> bool:
    """Whether this is the key that all SPOTs share; false while none is set."""
    return _is(secret, settings.ORHESTRA_AGENT_KEY)


def offered(request: HttpRequest) -> Iterator[bytes]:
    """Every secret in the headers of the request."""
    scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        yield bearer.strip().encode("latin-1", "replace")
    if key := request.META.get("HTTP_X_API_KEY", ""):
        yield key.encode("latin-1", "replace")


def _is(secret: bytes, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(_digest(secret), _digest(expected.encode()))


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
