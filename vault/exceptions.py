"""Problems with keys of the vault. None of their messages has a part of a secret in it."""

from typing import NamedTuple, Self
from uuid import UUID

from problems import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Problem,
    Unavailable,
    Unprocessable,
)


class Subject(NamedTuple):
    """The key that an operation is about, as far as it is known."""

    key_id: UUID | None = None
    name: str = ""
    env: str = ""
    version: int | None = None


NO_KEY = Subject()


class VaultProblem(Problem):
    """The key vault cannot do this."""

    reason = "other"
    """One word for the audit, and for the metric of failures."""
    subject = NO_KEY

    def about(self, subject: Subject) -> Self:
        """The same problem, which the audit then notes of this key."""
        self.subject = subject
        return self


class KeyUnknown(VaultProblem, NotFound):
    """There is no such key."""

    reason = "key_unknown"


class KeyExpired(VaultProblem, Gone):
    """The key has expired."""

    code = "key_expired"
    reason = "key_expired"


class KeyRevoked(VaultProblem, Gone):
    """The key has been revoked."""

    code = "key_revoked"
    reason = "key_revoked"


class KeyNotYet(VaultProblem, Conflict):
    """The key may not be used yet."""

    code = "key_not_yet"
    reason = "key_not_yet"


class KeyOutOfScope(VaultProblem, Forbidden):
    """The key is not for this service."""

    reason = "out_of_scope"


class KeyTampered(VaultProblem, Unprocessable):
    """What is stored of the key was changed outside of the vault."""

    code = "checksum_mismatch"
    reason = "checksum_mismatch"


class KeyUnreadable(VaultProblem, Unavailable):
    """The encryption key that has sealed it is not there."""

    reason = "key_unreadable"


class EncryptionKeyMissing(VaultProblem, Unavailable):
    """KEY_VAULT_MODE is prod, so that the vault needs COORDINATOR_ENCRYPTION_KEYS."""

    reason = "encryption_key_missing"


class KeyRefused(VaultProblem, Invalid):
    """The vault does not take this."""

    reason = "validation_error"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}")
        self.field = field
        self.details = {field: [self.message]}


class AliasTaken(VaultProblem, Conflict):
    """Another key of this environment has the alias."""

    code = "alias_taken"
    reason = "alias_taken"


FORBIDDEN = "forbidden"
"""The word for a caller who may not use keys."""
REASONS = sorted({FORBIDDEN, *(kind.reason for kind in VaultProblem.__subclasses__())})
"""Every word that a failure may have in the audit."""
