"""Who makes a request, as far as the coordinator knows."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.http import HttpRequest

from accounts.models import User
from accounts.permissions import EVERYTHING

KEY = "coordinator.caller"  # no header can spell this key


class Kind(StrEnum):
    TOKEN = "token"  # noqa: S105
    USER = "user"
    LOCAL = "local"
    AGENT_KEY = "agent_key"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks; `name` is what the journal calls it, `rights` the permissions it has."""

    kind: Kind
    name: str
    user_id: UUID | None = None
    rights: frozenset[str] = frozenset()

    def may(self, permission: str) -> bool:
        return permission in self.rights


TOKEN = Caller(Kind.TOKEN, "token", rights=EVERYTHING)
LOCAL = Caller(Kind.LOCAL, "local", rights=EVERYTHING)
AGENT_KEY = Caller(Kind.AGENT_KEY, "agent-key")


def of_user(user: User) -> Caller:
    rights = frozenset(filter(user.has_perm, EVERYTHING))
    return Caller(Kind.USER, f"user:{user.get_username()}", user.pk, rights)


def remember(request: HttpRequest, caller: Caller) -> None:
    request.META[KEY] = caller


def caller_of(request: HttpRequest) -> Caller:
    """Who makes this request; every request that reaches a view with a credential has one."""
    caller: Caller = request.META[KEY]
    return caller
