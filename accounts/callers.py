"""The caller of a request."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.http import HttpRequest

from accounts.models import User
from accounts.permissions import EVERYTHING

KEY = "coordinator.caller"  # no header can have this key


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


TOKEN = Caller(CallerKind.TOKEN, "token", rights=EVERYTHING)
LOCAL = Caller(CallerKind.LOCAL, "local", rights=EVERYTHING)
AGENT_KEY = Caller(CallerKind.AGENT_KEY, "agent-key")


def of_user(user: User) -> Caller:
    rights = frozenset(filter(user.has_perm, EVERYTHING))
    return Caller(CallerKind.USER, f"user:{user.get_username()}", user.pk, rights)


def remember(request: HttpRequest, caller: Caller) -> None:
    request.META[KEY] = caller


def caller_of(request: HttpRequest) -> Caller:
    """The caller of this request; every request that needs a credential has one in its view."""
    caller: Caller = request.META[KEY]
    return caller
