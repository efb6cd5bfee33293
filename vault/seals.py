"""The secret of a version: sealed with the number of the version, so that none can be exchanged."""

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

from accounts import sealing
from vault.audit import subject_of
from vault.exceptions import EncryptionKeyMissing, KeyTampered, KeyUnreadable
from vault.models import KeyVersion

VALUE, OF = "value", "of"
PROD = "prod"
RETRY_AFTER = 60  # seconds; somebody has to set a key before


def checksum_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def check_keys() -> None:
    """Raises EncryptionKeyMissing where nothing may be sealed or opened without one."""
    if settings.KEY_VAULT_MODE == PROD and not settings.ENCRYPTION_KEYS:
        raise EncryptionKeyMissing(cause="encryption_key_missing", retry_after=RETRY_AFTER)


def sealed(secret: str, key_id: UUID, version: int) -> bytes:
    check_keys()
    return sealing.seal({VALUE: secret, OF: _name(key_id, version)})


def opened(version: KeyVersion) -> str:
    """The secret of a version, whose key has been read with it.

    Raises KeyUnreadable where the encryption key is gone, and KeyTampered where the row was changed
    by others than the vault.
    """
    check_keys()
    subject = subject_of(version)
    try:
        found = sealing.opened_by(version.sealed_by, bytes(version.sealed))
    except sealing.Unopenable:
        raise KeyUnreadable(
            f"Version {version.version} of {version.key} was sealed by the encryption key"
            f" {version.sealed_by}, which COORDINATOR_ENCRYPTION_KEYS does not have.",
            cause="key_unreadable",
            retry_after=RETRY_AFTER,
        ).about(subject) from None
    except sealing.Altered:
        raise tampered(version) from None
    secret = found.get(VALUE, "")
    right = hmac.compare_digest(checksum_of(secret).encode(), version.checksum.encode())
    if not right or found.get(OF) != _name(version.key_id, version.version):
        raise tampered(version)
    return secret


def tampered(version: KeyVersion) -> KeyTampered:
    return KeyTampered(
        f"Version {version.version} of {version.key} is not as the vault has written it:"
        " set a new value, and find out who has changed the row."
    ).about(subject_of(version))


def _name(key_id: UUID, version: int) -> str:
    return f"{key_id}/{version}"
