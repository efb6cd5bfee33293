"""`/v1/auth`: users register and sign in, agents sign in for them (contract 000-002, 1.3)."""

from django.conf import settings
from django.contrib.auth import authenticate
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations, sign_in, transitions
from accounts.answers import UserSerializer
from accounts.authentication import LoopbackAuthentication, TokenAuthentication
from accounts.callers import Caller
from accounts.exceptions import NoAccess, RegistrationOff, WrongPassword
from accounts.models import User
from accounts.permissions import check_scopes
from accounts.rights import may_enter
from accounts.serializers import (
    CodeRequestSerializer,
    LoginRequestSerializer,
    RegisterRequestSerializer,
)
from accounts.throttling import SignInThrottle
from api.answers import Body
from api.filters import flag
from api.viewsets import ApiViewSet
from problems import TooMany, Unauthorized


@operations.sign_ins
class AuthViewSet(ApiViewSet):
    """Public, but in protected mode for this machine alone."""

    authentication_classes = [LoopbackAuthentication]
    permission_classes = []

    @action(detail=False, methods=["post"], throttle_classes=[SignInThrottle])
    def register(self, request: Request) -> Response:
        if settings.REGISTRATION == "no":
            raise RegistrationOff
        values = RegisterRequestSerializer.read(request.data)
        user = transitions.register(**values, group=settings.REGISTRATION)
        return Response(signed_in(user), 201)

    @action(detail=False, methods=["post"], throttle_classes=[SignInThrottle])
    def login(self, request: Request) -> Response:
        values = LoginRequestSerializer.read(request.data)
        name = transitions.named(values["username"])
        user = authenticate(request._request, username=name, password=values["password"])
        if sign_in.has_to_wait(request._request):
            raise TooMany(sign_in.sentence(sign_in.pause()), retry_after=sign_in.pause())
        if not isinstance(user, User):
            raise WrongPassword
        code = transitions.make_code(user, values["agent_name"]) if values["agent_auth"] else ""
        return Response(signed_in(user) | ({"auth_code": code} if code else {}))

    @action(detail=False, authentication_classes=[TokenAuthentication, LoopbackAuthentication])
    def verify(self, request: Request) -> Response:
        """Whose token this is; the shared token and those of agents are of nobody."""
        caller, user = request.auth, request.user
        if not (isinstance(caller, Caller) and caller.token_id and isinstance(user, User)):
            raise Unauthorized("Send a user's token as 'Authorization: Bearer <token>'.")
        check_scopes(caller, self)
        body: Body = {"user_id": user.pk, "username": user.get_username()}
        if flag(request.query_params, "agent_auth"):
            body["auth_code"] = transitions.make_code_for(caller.token_id, user)
        return Response(body)

    @action(
        detail=False,
        methods=["post"],
        url_path="agent-token",
        throttle_classes=[SignInThrottle],
    )
    def agent_token(self, request: Request) -> Response:
        token, secret = transitions.redeem(CodeRequestSerializer.read(request.data)["code"])
        user = token.user
        if user is None:
            raise TypeError("A code is of a user.")
        body = {"user_id": user.pk, "username": user.get_username()}
        return Response({"token": secret, **body})


def signed_in(user: User) -> Body:
    """A token of this user for a day, if they may do anything at all."""
    if not may_enter(user):
        raise NoAccess
    return {"token": transitions.sign_in(user).secret, "user": UserSerializer.shown(user)}
