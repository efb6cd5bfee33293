"""What names a key to those who read it, and what they get."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Selector:
    """Which key is wanted: by its name, its alias, or by what it is for.

    Without `env` it is one of the environment that KEY_VAULT_MODE names; without `version` its
    newest that has begun.
    """

    provider: str = ""
    name: str = ""
    service: str = ""
    resource: str = ""
    env: str = ""
    alias: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a key. Whatever shows or logs it shows only which one it is."""

    value: str = field(repr=False)
    key_id: UUID
    name: str
    env: str
    version: int
    checksum: str = field(repr=False)
    expires_at: datetime | None = None
