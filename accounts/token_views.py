"""`/api/v1/tokens` (contract 001, 1.8)."""

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations, transitions
from accounts.answers import TokenSerializer
from accounts.callers import Caller, caller_of
from accounts.exceptions import MayNotIssue
from accounts.models import ApiToken, User
from accounts.permissions import MayHaveTokens
from accounts.rights import ADMINISTER
from accounts.serializers import TokenRequestSerializer, refused
from api import fields, filters
from api.pagination import requested_offset, requested_size
from api.serializers import Values
from api.viewsets import ApiViewSet


@operations.tokens
class TokenViewSet(ApiViewSet):
    """The tokens of a caller; administrators have those of all."""

    permission_classes = [MayHaveTokens]
    lookup_url_kwarg = "token_id"
    lookup_value_regex = "[^/]+"

    def list(self, request: Request) -> Response:
        tokens = visible(request, caller_of(request))
        offset, limit = requested_offset(request), requested_size(request)
        rows = tokens.select_related("user").order_by("-id")[offset : offset + limit]
        shown = [TokenSerializer.shown(token) for token in rows]
        return Response({"tokens": shown, "total": tokens.count()})

    def create(self, request: Request) -> Response:
        """The answer has the token itself, which is never shown again."""
        values = TokenRequestSerializer.read(request.data)
        token, secret = transitions.issue(**asked(values, caller_of(request)))
        return Response({**TokenSerializer.shown(token), "token": secret}, 201)

    def destroy(self, request: Request, token_id: str) -> Response:
        by = caller_of(request)
        transitions.revoke(fields.identifier(token_id), by=by, reason="revoked by the API")
        return Response(status=204)


def visible(request: Request, caller: Caller) -> QuerySet[ApiToken]:
    """The caller's own tokens; of all where an administrator asks, or is no user."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.all()
    asked_for = request.query_params
    if not caller.may(ADMINISTER):
        return tokens.filter(user=caller.user_id)
    if "user_id" in asked_for:
        return tokens.filter(user=fields.identifier(asked_for["user_id"]))
    if filters.flag(asked_for, "all") or caller.user_id is None:
        return tokens
    return tokens.filter(user=caller.user_id)


def asked(values: Values, caller: Caller) -> Values:
    """The token that a request asks for, as `transitions.issue` takes it."""
    agent = values["agent_id"] or values["agent_prefix"]
    user = None if agent else _user(values["user_id"] or caller.user_id, caller)
    return {
        "name": values["name"],
        "user": user,
        "role": values["role"],
        "agent": agent,
        "agent_is_prefix": bool(values["agent_prefix"]),
        "channels": values["channels"],
        "scopes": values["scopes"],
        "expires_at": values["expires_at"],
        "by": caller,
        "reason": values["reason"] or "made by the API",
    }


def _user(user_id: object, caller: Caller) -> User:
    """The user of this id; only administrators learn whether there is one."""
    if user_id != caller.user_id and not caller.may(ADMINISTER):
        raise MayNotIssue
    if user_id is None:
        raise refused("user_id", "is required, since the caller is no user")
    user = User.objects.filter(pk=str(user_id)).first()
    if user is None:
        raise refused("user_id", "is of no user")
    return user
