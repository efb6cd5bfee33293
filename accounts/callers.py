"""The caller of a request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from accounts.models import User
from accounts.permissions import EVERYTHING, OPERATE, VIEW


class CallerKind(StrEnum):
    TOKEN = "token"  # noqa: S105
    USER = "user"
    LOCAL = "local"
    AGENT_KEY = "agent_key"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request; `name` is its actor in the journal, `rights` are its permissions."""

    kind: CallerKind
    name: str
    user_id: UUID | None = None
    rights: frozenset[str] = frozenset()

    def may(self, permission: str) -> bool:
        return permission in self.rights

    @property
    def counted_as(self) -> str:
        """Whose requests the rate limits count together; "" where none are counted."""
        return "" if self.kind is CallerKind.LOCAL else f"{self.kind}:{self.user_id or self.name}"


TOKEN = Caller(CallerKind.TOKEN, "token", rights=EVERYTHING)
LOCAL = Caller(CallerKind.LOCAL, "local", rights=EVERYTHING)
AGENT_KEY = Caller(CallerKind.AGENT_KEY, "agent-key", rights=frozenset({VIEW, OPERATE}))


def of_user(user: User) -> Caller:
    rights = frozenset(filter(user.has_perm, EVERYTHING))
    return Caller(CallerKind.USER, f"user:{user.get_username()}", user.pk, rights)


def caller_of(request: Request) -> Caller:
    """The caller of this request, as its authentication found it."""
    caller: Any = request.auth
    if not isinstance(caller, Caller):
        raise TypeError("A view without authentication has no caller.")
    return caller
