"""Who calls: REST framework's authentication classes.

Each gives a `Caller` as `request.auth` or leaves the request to the next; the settings have their
order. A request that nobody recognizes is answered 401 by its permissions.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from accounts import callers, credentials, protected
from accounts.models import User
from accounts.recognition import NOBODY, Recognized
from accounts.rights import SAFE_METHODS
from problems import Forbidden, Unauthorized


class CrossSite(Forbidden):
    """A signed-in browser must send the CSRF token with every change."""

    code = "csrf_failed"


class TokenAuthentication(BaseAuthentication):
    """The shared token or an issued one, as `Authorization: Bearer …` or `X-Api-Key`.

    The shared one needs no database.
    """

    def authenticate(self, request: Request) -> Recognized | None:
        return recognize(*credentials.offered(request._request))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class QueryTokenAuthentication(TokenAuthentication):
    """The same, in the query of a GET, where a browser can send no header."""

    def authenticate(self, request: Request) -> Recognized | None:
        if request.method == "GET" and "token=" in request.META.get("QUERY_STRING", ""):
            given = request.query_params.get("token", "").encode(errors="replace")
            if found := recognize(given):
                return found
        return super().authenticate(request)


class SessionAuthentication(BaseAuthentication):
    """A person who has signed in. Every change needs the CSRF token too.

    Django's check is off for API views, because callers with tokens use them as well.
    """

    def authenticate(self, request: Request) -> Recognized | None:
        inner = request._request
        if settings.SESSION_COOKIE_NAME not in inner.COOKIES:
            return None
        user = inner.user
        if not isinstance(user, User) or not user.is_active:
            return None
        if inner.method not in SAFE_METHODS:
            check_csrf(inner)
        return user, callers.of_user(user)


class LoopbackAuthentication(BaseAuthentication):
    """In protected mode, while no credential has been issued: this machine. Refuses all others."""

    def authenticate(self, request: Request) -> Recognized | None:
        if credentials.issued():
            return None
        protected.check(request._request)
        return NOBODY, callers.LOCAL


class AgentKeyAuthentication(BaseAuthentication):
    """The key that all SPOTs share, or an agent's token in its place.

    Where a key is set, no other credential counts on the paths of SPOTs.
    """

    def authenticate(self, request: Request) -> Recognized | None:
        given = request.META.get("HTTP_X_ORHESTRA_KEY", "").encode("latin-1", "replace")
        found = credentials.recognized(given)
        if found is not None and found[1].scope is not None:
            return found
        if not settings.ORHESTRA_AGENT_KEY:
            return None
        if not credentials.is_agent_key(given):
            raise Unauthorized("Send the agent key as 'X-Orhestra-Key'.")
        return NOBODY, callers.AGENT_KEY


def recognize(*given: bytes) -> Recognized | None:
    """Whose the first of these secrets is that is a token."""
    if any(map(credentials.is_shared_token, given)):
        return NOBODY, callers.TOKEN
    return next(filter(None, map(credentials.recognized, given)), None)


def check_csrf(request: HttpRequest) -> None:
    check = CSRFCheck(_any_view)
    check.process_request(request)
    if reason := check.process_view(request, _any_view, (), {}):
        raise CrossSite(str(reason))


def _any_view(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse()


STREAM_AUTHENTICATION = (QueryTokenAuthentication, SessionAuthentication, LoopbackAuthentication)
