"""Seals secrets for the database, so that neither a dump nor a row tells them.

`COORDINATOR_ENCRYPTION_KEYS` has the keys: the first seals, all of them open. The last one is
derived from `SECRET_KEY`: it seals where none is set, and opens what was sealed before one was.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from problems import Unavailable

LABEL = 12  # hexadecimal digits


class Unopenable(Unavailable):
    """A secret was sealed with a key that this coordinator does not have."""


class Altered(Exception):
    """What was sealed is no longer what the key named by its label has sealed."""


def seal(secrets: Mapping[str, str]) -> bytes:
    return _all()[0].encrypt(orjson.dumps(dict(secrets)))


def opened(sealed: bytes) -> dict[str, str]:
    """What was sealed. Raises Unopenable where its key is gone."""
    try:
        secrets: dict[str, str] = orjson.loads(MultiFernet(_all()).decrypt(sealed))
    except InvalidToken:
        raise Unopenable from None
    return secrets


def opened_by(label: str, sealed: bytes) -> dict[str, str]:
    """What the key of this label has sealed. Raises Unopenable where it is gone, or Altered."""
    key = next((key for key in _keys() if label_of(key) == label), None)
    if key is None:
        raise Unopenable
    try:
        secrets: dict[str, str] = orjson.loads(_fernet(key).decrypt(sealed))
        # Base64 is read with anything behind its end.
        if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)) != sealed:
            raise Altered
    except (InvalidToken, orjson.JSONDecodeError):
        raise Altered from None
    return secrets


def resealed(sealed: bytes) -> bytes | None:
    """The same sealed by the first key; None where that has sealed it. Raises Unopenable."""
    first, *_ = _all()
    try:
        first.decrypt(sealed)
    except InvalidToken:
        return first.encrypt(orjson.dumps(opened(sealed)))
    return None


_others: list[Callable[[], tuple[int, int]]] = []


def register(reseal: Callable[[], tuple[int, int]]) -> None:
    """Let a room above seal its own rows anew; it returns how many it sealed and how many not."""
    _others.append(reseal)


def reseal_others() -> tuple[int, int]:
    """Seal anew what registered rooms have; how many were sealed, and how many are lost."""
    counts = [reseal() for reseal in _others]
    return sum(done for done, _ in counts), sum(lost for _, lost in counts)


def label() -> str:
    """What names the key that seals, and tells nothing of it."""
    return label_of(_keys()[0])


def labels() -> list[str]:
    """Those of all keys that open."""
    return [label_of(key) for key in _keys()]


@lru_cache(maxsize=64)
def label_of(key: str) -> str:
    return hashlib.sha256(b"coordinator.sealing.label:" + key.encode()).hexdigest()[:LABEL]


def _keys() -> list[str]:
    return [*settings.ENCRYPTION_KEYS, _derived(settings.SECRET_KEY)]


def _all() -> list[Fernet]:
    return [_fernet(key) for key in _keys()]


@lru_cache(maxsize=64)
def _fernet(key: str) -> Fernet:
    return Fernet(key)


@cache
def _derived(secret_key: str) -> str:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"coordinator.sealing")
    return base64.urlsafe_b64encode(derive.derive(secret_key.encode())).decode()
