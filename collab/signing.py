"""Signed URLs: who has one gets that object until it expires, without other credentials.

A signature is the HMAC-SHA256 of method, bucket, path and time of expiry. `kid` names the key:
`COORDINATOR_SIGNING_KEYS` has them, the first signs, all verify. Without any, one is derived from
`SECRET_KEY`.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from problems import Forbidden

SHORTEST, LONGEST = 60, 86_400  # seconds
METHOD = "GET"  # HEAD too, which tells no more
KID_DIGITS = 8
TIME = re.compile("[0-9]{1,12}", re.ASCII)


class SignatureInvalid(Forbidden):
    """This URL was not signed here, or has been changed."""

    code = "signature_invalid"


class SignatureExpired(Forbidden):
    """This URL has expired; ask for a new one."""

    code = "signature_expired"


def signed_path(bucket: str, path: str, *, seconds: int) -> str:
    """The path and the query by which this object can be read for so many seconds."""
    expires = str(int(time.time()) + seconds)
    kid, key = next(iter(keys().items()))
    query = {"exp": expires, "kid": kid, "sig": signature(key, bucket, path, expires)}
    return f"/files/{quote(bucket)}/{quote(path)}?{urlencode(query)}"


def usual() -> int:
    """For how many seconds a URL is good where nothing is said."""
    return int(settings.SIGNED_URL_LASTS.total_seconds())


def verify(bucket: str, path: str, given: Mapping[str, str]) -> None:
    """Raises SignatureInvalid, or SignatureExpired where the signature is right but too old."""
    expires = given.get("exp", "")
    key = keys().get(given.get("kid", ""))
    # Compared also where there is no such key, so that nobody can tell by the time it takes.
    expected = signature(key or b"", bucket, path, expires)
    sent = given.get("sig", "").encode(errors="replace")
    right = hmac.compare_digest(sent, expected.encode())
    if key is None or not right or not TIME.fullmatch(expires):
        raise SignatureInvalid
    if time.time() >= int(expires):
        raise SignatureExpired


def signature(key: bytes, bucket: str, path: str, expires: str) -> str:
    said = "\n".join((METHOD, bucket, path, expires)).encode(errors="replace")
    digest = hmac.new(key, said, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def keys() -> Mapping[str, bytes]:
    """The keys by their names, the one that signs first."""
    return _named(tuple(settings.SIGNING_KEYS), settings.SECRET_KEY)


@cache
def _named(given: Sequence[str], secret_key: str) -> Mapping[str, bytes]:
    secrets = [key.encode() for key in given] or [secret_key.encode()]
    derived = [_derived(secret) for secret in secrets]
    return {hashlib.sha256(b"kid" + key).hexdigest()[:KID_DIGITS]: key for key in derived}


def _derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"coordinator.signing").derive(secret)
