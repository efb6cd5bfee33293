"""Who may make a request: REST framework's permission classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import ownership
from accounts.callers import Caller, LeaseScope
from accounts.rights import ADMINISTER, ENTER, NOT_YET, OWN_ONLY, SAFE_METHODS, USE
from accounts.signals import agent_named
from api.fields import by_name
from api.names import spelled
from problems import Forbidden, Unauthorized

KEY_HEADERS = ("X-Api-Key",)
"""Beside `Authorization`, the headers in which a token may come; a view may know more of them."""

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView


class NotAllowed(Forbidden):
    """This caller may view, but not operate."""

    code = "not_allowed"


class NotForAgents(NotAllowed):
    """The token of an agent is for what that agent does itself."""

    code = "not_allowed"


class BeyondScopes(NotAllowed):
    """This token is limited to functions of other scopes."""

    code = "not_allowed"


class AnotherAgent(Forbidden):
    """The token is of another agent."""

    code = "not_allowed"


class AnotherLease(Forbidden):
    """The token is of another lease."""

    code = "not_allowed"


class AnotherChannel(Forbidden):
    """The token is for other channels."""

    code = "not_allowed"


@dataclass(frozen=True, slots=True)
class AsAgent:
    """What a view says of a request that the token of an agent may make.

    `field` of the body names the agent, or of the query: where the body is no JSON. `beyond`: the
    channels that the body names and that are not for the caller; a view that is about no channel
    has none. `protocol`: of a new agent. `may_be_new`: where none is named, the view makes an id.
    """

    field: str = "agent_id"
    beyond: Callable[[Any, Caller], Collection[str]] | None = None
    protocol: str = ""
    may_be_new: bool = False
    in_query: bool = False


class ReadOrOperate(BasePermission):
    """Who may view reads all; who may operate changes all. Others do what the view says they may.

    `agents_may` of a view has an `AsAgent` for each action that is for agents, of an `APIView` for
    each method: their tokens do it as that agent, and users as an agent of theirs. Where the rows
    of a view have an `owner`, users list and steer those of theirs and of nobody. `users_may` has
    the actions, or methods, that see to it themselves. Any other, also one that is yet to be
    written, is refused to both.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise Unauthorized(advice(request))
        check_scopes(caller, view)
        if getattr(view, "action", "") is None:
            return True  # the view has no such method, as it says then
        if caller.scope is not None:
            check_agent(caller, request, view)
        elif not (caller.sees_all if request.method in SAFE_METHODS else caller.steers_all):
            check_user(caller, request, view)
        return True

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        """Rows of other users are for those who see, or steer, all."""
        caller: Any = request.auth
        ownership.check(obj.user_id, caller, changes=request.method not in SAFE_METHODS)
        return True

    def in_words(self, method: str, view: APIView) -> str:
        """Who may use this method of the view, for the API's schema."""
        first = "Who may view everything." if method in SAFE_METHODS else "Who may operate."
        action = str(getattr(view, "action", None) or method).lower()
        if action in getattr(view, "agents_may", {}):
            return f"{first} The token of an agent as that agent; users as an agent of theirs."
        if is_for_users(action, view):
            return f"{first} Users, with what is theirs or nobody's."
        return first


class MayAdminister(ReadOrOperate):
    """Who may administer."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        caller: Any = request.auth
        if not caller.may(ADMINISTER):
            raise NotAllowed(f"{caller.name} may not do this: {ADMINISTER} is missing.")
        return True

    def in_words(self, method: str, view: APIView) -> str:
        return "Who may administer."


class MayHaveTokens(BasePermission):
    """Who may do anything, and is no agent; `transitions` say who may make and revoke which."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise Unauthorized(complaint(request._request))
        check_scopes(caller, view)
        if caller.scope is not None:
            raise NotForAgents
        if not caller.rights & ENTER:
            raise NotAllowed(str(NOT_YET))
        return True


def advice(request: Request) -> str:
    """How to send a token, after what is wrong with the one that was sent."""
    named = (getattr(one, "key_headers", ()) for one in request.authenticators or ())
    headers = next(filter(None, named), KEY_HEADERS)
    others = " or ".join(f"'{header}'" for header in headers)
    how = (
        f"Send a token as 'Authorization: Bearer <token>' or {others};"
        " `manage.py create_token` makes one."
    )
    if any(request.headers.get(header) for header in headers):
        return f"Invalid or expired token. {how}"
    sent = "Authorization" in request.headers
    return f"{complaint(request._request)}. {how}" if sent else how


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


def check_scopes(caller: Caller, view: APIView) -> None:
    """Refuse a token that is limited all but the functions of its scopes."""
    if caller.limited_to and getattr(view, "function_scope", None) not in caller.limited_to:
        scopes = ", ".join(sorted(caller.limited_to))
        raise BeyondScopes(f"This token is limited to functions of the scopes: {scopes}.")


def check_agent(caller: Caller, request: Request, view: APIView) -> None:
    """Refuse an agent's token what is not for agents, and all that names another or no agent."""
    scope = caller.scope
    rule = rule_of(request, view)
    if scope is None or rule is None:
        raise NotForAgents
    if caller.lease is not None:
        check_lease(caller.lease, request, view, rule)
    named = agent_in(said_in(request, rule), rule)
    if not named:
        raise AnotherAgent(f"{rule.field} must be the agent of this token.")
    if not scope.covers(named):
        raise AnotherAgent(f"This token is not of the agent {named!r}.")
    if scope.channels:
        check_channels(caller, request, rule)


def check_lease(lease: LeaseScope, request: Request, view: APIView, rule: AsAgent) -> None:
    """Refuse the token of a lease all but what is for leases, on its task, and by its epoch."""
    if action_of(request, view) not in getattr(view, "leases_may", ()):
        raise NotForAgents("The token of a lease is for its log, files, renewal and report.")
    if view.kwargs.get("task_id") != lease.task_id:
        raise AnotherLease(f"This token is of a lease of task {lease.task_id}.")
    said = said_in(request, rule)
    given = by_name(said, {"lease_epoch": None}) if isinstance(said, dict) else {}
    if str(given.get("lease_epoch", lease.epoch)) not in {"None", str(lease.epoch)}:
        raise AnotherLease(f"This token is of lease epoch {lease.epoch}.")


def check_user(caller: Caller, request: Request, view: APIView) -> None:
    """Refuse who may not see or steer all what is not said to be for users.

    They speak for agents of theirs: receivers of `agent_named` see to that.
    """
    if not caller.may(USE):
        may_look = request.method not in SAFE_METHODS and caller.sees_all
        said = f"{caller.name} may view the console, but not operate." if may_look else NOT_YET
        raise NotAllowed(str(said))
    rule = rule_of(request, view)
    if rule is not None:
        named = agent_in(said_in(request, rule), rule)
        if not named and not rule.may_be_new:
            raise AnotherAgent(f"{rule.field} must be an agent of yours.")
        agent_named.send(type(view), caller=caller, agent_id=named, rule=rule)
        check_channels(caller, request, rule)
    elif not is_for_users(action_of(request, view), view):
        raise NotAllowed(str(OWN_ONLY))
    elif getattr(view, "detail", False):
        rows: Any = view
        rows.get_object()  # which checks whose it is, before a verb takes its id


def check_channels(caller: Caller, request: Request, rule: AsAgent) -> None:
    refuse_others(rule.beyond(request.data, caller) if rule.beyond else ())


def refuse_others(channels: Collection[str]) -> None:
    """Raise AnotherChannel if there are any: they are not for the caller."""
    if channels:
        raise AnotherChannel(f"This token is not for {', '.join(sorted(channels))}.")


def is_for_users(action: str, view: APIView) -> bool:
    of_rows = action == "list" or getattr(view, "detail", False)
    own = of_rows and bool(getattr(view, "owner", ""))
    return own or action in getattr(view, "users_may", ())


def rule_of(request: Request, view: APIView) -> AsAgent | None:
    allowed: Mapping[str, AsAgent] = getattr(view, "agents_may", {})
    return allowed.get(action_of(request, view))


def action_of(request: Request, view: APIView) -> str:
    method = "GET" if request.method == "HEAD" else request.method
    return str(getattr(view, "action", None) or method).lower()


def said_in(request: Request, rule: AsAgent) -> object:
    """Where a request names its agent; a body that is no JSON is not read for that."""
    return request.query_params.dict() if rule.in_query else request.data


def agent_in(data: object, rule: AsAgent) -> str:
    """The agent that a body names, as serializers read it; "" for none."""
    named = by_name(data, {rule.field: None}).get(rule.field) if isinstance(data, dict) else None
    return spelled(named) if isinstance(named, str) else ""
