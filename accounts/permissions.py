"""What a caller may do: view, operate, administer. Each is a Django permission."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.fields import by_name
from api.names import spelled
from problems import Forbidden, Unauthorized

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView

    from accounts.callers import AgentScope

VIEW = "accounts.view_console"
OPERATE = "accounts.operate"
ADMINISTER = "accounts.administer"
EVERYTHING = frozenset({VIEW, OPERATE, ADMINISTER})

GROUPS: Mapping[str, frozenset[str]] = {
    "Viewer": frozenset({VIEW}),
    "Operator": frozenset({VIEW, OPERATE}),
    "Admin": EVERYTHING,
}
"""The groups that a migration creates; administrators may change them or add others."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

NOT_YET = _("You may not look at the console yet. Ask an administrator to put you into a group.")


class NotAllowed(Forbidden):
    """This caller may view, but not operate."""

    code = "not_allowed"


class NotForAgents(NotAllowed):
    """The token of an agent is for what that agent does itself."""

    code = "not_allowed"


class AnotherAgent(Forbidden):
    """The token is of another agent."""

    code = "not_allowed"


class AnotherChannel(Forbidden):
    """The token is for other channels."""

    code = "not_allowed"


@dataclass(frozen=True, slots=True)
class AsAgent:
    """What a view says of a request that the token of an agent may make.

    `field` of the body names the agent. `beyond`: the channels that the body names and that are not
    among those of the token; a view that is about no channel has none.
    """

    field: str = "agent_id"
    beyond: Callable[[Any, Collection[str]], Collection[str]] | None = None


class ReadOrOperate(BasePermission):
    """Who may view reads; who may operate changes. Agents do what the view says they may.

    `agents_may` of a view has an `AsAgent` for each action that is for agents, of an `APIView` for
    each method. Any other, also one that is yet to be written, refuses their tokens.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise Unauthorized("Send a token as 'Authorization: Bearer <token>' or 'X-Api-Key'.")
        if caller.scope is not None:
            check_agent(caller.scope, request, view)
            return True
        if not caller.may(VIEW):
            raise NotAllowed(str(NOT_YET))
        if request.method not in SAFE_METHODS and not caller.may(OPERATE):
            raise NotAllowed(f"{caller.name} may view the console, but not operate.")
        return True


class MayAdminister(ReadOrOperate):
    """Who may administer."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        caller: Any = request.auth
        if not caller.may(ADMINISTER):
            raise NotAllowed(f"{caller.name} may not do this: {ADMINISTER} is missing.")
        return True


class MayHaveTokens(BasePermission):
    """Who may view, and is no agent; `transitions` say who may make and revoke which."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise Unauthorized(complaint(request._request))
        if caller.scope is not None:
            raise NotForAgents
        if not caller.may(VIEW):
            raise NotAllowed(str(NOT_YET))
        return True


def complaint(request: HttpRequest) -> str:
    """Why no token of the request lets it in; nobody learns whether it ever was one."""
    given = request.META.get("HTTP_AUTHORIZATION")
    if request.META.get("HTTP_X_API_KEY"):
        return "Invalid or expired token"
    if given is None:
        return "Missing Authorization header"
    scheme, __, bearer = given.partition(" ")
    if scheme.lower() != "bearer":
        return "Invalid Authorization header format: send 'Bearer <token>'"
    return "Invalid or expired token" if bearer.strip() else "Empty token"


def check_agent(scope: AgentScope, request: Request, view: APIView) -> None:
    """Refuse an agent's token what is not for agents, and all that names another or no agent.

    The body is read as serializers read it, so that both see the same agent.
    """
    allowed: Mapping[str, AsAgent] = getattr(view, "agents_may", {})
    rule = allowed.get(getattr(view, "action", None) or str(request.method).lower())
    if rule is None:
        raise NotForAgents
    data = request.data
    named = by_name(data, {rule.field: None}).get(rule.field) if isinstance(data, dict) else None
    if not isinstance(named, str) or not spelled(named):
        raise AnotherAgent(f"{rule.field} must be the agent of this token.")
    if not scope.covers(spelled(named)):
        raise AnotherAgent(f"This token is not of the agent {spelled(named)!r}.")
    if rule.beyond is not None and scope.channels:
        others = rule.beyond(data, scope.channels)
        if others:
            raise AnotherChannel(f"This token is not for {', '.join(sorted(others))}.")
