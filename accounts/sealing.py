"""Seals secrets for the database, so that neither a dump nor a row tells them.

`COORDINATOR_ENCRYPTION_KEYS` has the keys: the first seals, all of them open. The last one is
derived from `SECRET_KEY`: it seals where none is set, and opens what was sealed before one was.
"""

import base64
from collections.abc import Mapping
from functools import cache

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from problems import Unavailable


class Unopenable(Unavailable):
    """A secret was sealed with a key that this coordinator does not have."""


def seal(secrets: Mapping[str, str]) -> bytes:
    return _fernet().encrypt(orjson.dumps(dict(secrets)))


def opened(sealed: bytes) -> dict[str, str]:
    """What was sealed. Raises Unopenable where its key is gone."""
    try:
        secrets: dict[str, str] = orjson.loads(_fernet().decrypt(sealed))
    except InvalidToken:
        raise Unopenable from None
    return secrets


@cache
def _fernet() -> MultiFernet:
    keys: list[str] = [*settings.ENCRYPTION_KEYS, _derived()]
    return MultiFernet([Fernet(key) for key in keys])


def _derived() -> str:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"coordinator.sealing")
    return base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())).decode()
