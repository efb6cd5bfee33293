"""The caller of a request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from accounts import roles
from accounts.models import ApiToken, User
from accounts.rights import EVERYTHING, OPERATE, VIEW


class CallerKind(StrEnum):
    TOKEN = "token"  # noqa: S105
    API_TOKEN = "api_token"  # noqa: S105
    AGENT = "agent"
    USER = "user"
    LOCAL = "local"
    AGENT_KEY = "agent_key"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class AgentScope:
    """For which agents an agent's token speaks, and in which channels; none: in all."""

    agent: str
    is_prefix: bool = False
    channels: tuple[str, ...] = ()

    def covers(self, agent_id: str) -> bool:
        return agent_id.startswith(self.agent) if self.is_prefix else agent_id == self.agent


@dataclass(frozen=True, slots=True)
class LeaseScope:
    """The task, and its lease, for which the token of a lease is good."""

    task_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request; `name` is its actor in the journal, `rights` are its permissions.

    One with a `scope` is an agent: it has no rights, and may do what views say agents may. With a
    `lease` it may do to that task what views say leases may. `limited_to`: the scopes of functions
    beyond which its token may nothing; none: it is not limited.
    """

    kind: CallerKind
    name: str
    user_id: UUID | None = None
    rights: frozenset[str] = frozenset()
    token_id: UUID | None = None
    scope: AgentScope | None = None
    lease: LeaseScope | None = None
    limited_to: frozenset[str] = frozenset()

    def may(self, permission: str) -> bool:
        return permission in self.rights

    @property
    def sees_all(self) -> bool:
        """Whether it sees what belongs to any user, too."""
        return VIEW in self.rights

    @property
    def steers_all(self) -> bool:
        return self.sees_all and OPERATE in self.rights

    @property
    def counted_as(self) -> str:
        """Whose requests the rate limits count together; "" where none are counted."""
        if self.kind is CallerKind.LOCAL:
            return ""
        return f"{self.kind}:{self.token_id or self.user_id or self.name}"


TOKEN = Caller(CallerKind.TOKEN, "token", rights=EVERYTHING)
LOCAL = Caller(CallerKind.LOCAL, "local", rights=EVERYTHING)
AGENT_KEY = Caller(CallerKind.AGENT_KEY, "agent-key", rights=roles.OF_AGENTS)


def of_user(user: User) -> Caller:
    return Caller(CallerKind.USER, f"user:{user.get_username()}", user.pk, rights_of(user))


def rights_of(user: User) -> frozenset[str]:
    return frozenset(filter(user.has_perm, EVERYTHING))


def rights_read(user: User, row: Any) -> frozenset[str]:
    """The same, of a row that was read `with_rights`."""
    if user.is_superuser:
        return EVERYTHING
    codenames = {*row.own_codenames, *row.group_codenames}
    return frozenset(right for right in EVERYTHING if right.partition(".")[2] in codenames)


def of_token(token: ApiToken) -> Caller:
    """The caller who sends this token, of `ApiToken.objects.with_rights()`.

    A token gives what its role does, as far as its user has it now.
    """
    if token.user is None:
        scope = AgentScope(token.agent, token.agent_is_prefix, tuple(token.channels))
        name = f"agent-token:{token.name}"
        return Caller(CallerKind.AGENT, name, token_id=token.pk, scope=scope)
    return Caller(
        CallerKind.API_TOKEN,
        f"user:{token.user.get_username()}",
        token.user.pk,
        roles.RIGHTS[token.role] & rights_read(token.user, token),
        token.pk,
        limited_to=frozenset(token.scopes),
    )


def caller_of(request: Request) -> Caller:
    """The caller of this request, as its authentication found it."""
    caller: Any = request.auth
    if not isinstance(caller, Caller):
        raise TypeError("A view without authentication has no caller.")
    return caller
