"""WebSockets: who opens one, and from which page. Middleware of Channels."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from channels.security.websocket import OriginValidator, WebsocketDenier
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import STREAM_AUTHENTICATION
from accounts.permissions import ReadOrOperate
from api.throttling import BucketThrottle
from problems import Problem, Unavailable, errors

Scope = Mapping[str, Any]


class SameOriginValidator:
    """Denies a WebSocket that a page of another site opens; browsers always send the origin."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        application = self.application
        if b"origin" in headers:
            host = headers.get(b"host", b"").decode("latin-1")
            sites = [f"http://{host}", f"https://{host}"]
            if all(map(_is_address, (headers[b"origin"].decode("latin-1"), *sites))):
                application = OriginValidator(application, sites)
            else:
                application = WebsocketDenier()
        await application(scope, receive, send)


def _is_address(text: str) -> bool:
    """Whether this can be read as the address of a site; Channels raises where it cannot."""
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


class SocketView(APIView):
    """Who may open a WebSocket, and who is asked: what a view says of a GET over HTTP."""

    authentication_classes: Sequence[type[BaseAuthentication]] = STREAM_AUTHENTICATION
    permission_classes = [ReadOrOperate]
    throttle_classes = [BucketThrottle]


class CallerMiddleware(BaseMiddleware):
    """Finds the caller as for a GET over HTTP: `scope["auth"]`, or why not: `scope["problem"]`."""

    def __init__(self, inner: Any, view: type[APIView] = SocketView) -> None:
        super().__init__(inner)
        self.view = view

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        scope = {**scope, "auth": None, "problem": None}
        try:
            scope["auth"] = await database_sync_to_async(caller_in)(scope, self.view)
        except (Problem, DisallowedHost, DatabaseError, InterfaceError) as failure:
            scope["problem"] = errors.meaning_of(failure) or Unavailable()
        await super().__call__(scope, receive, send)


def caller_in(scope: Scope, kind: type[APIView] = SocketView) -> object:
    """The caller who opens a WebSocket. Raises the problem why not, too many of them included."""
    http = {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": "https" if scope.get("scheme") == "wss" else "http",
        # An underscore would stand for a hyphen, which no proxy in front would have checked.
        "headers": [header for header in scope["headers"] if b"_" not in header[0]],
    }
    inner = ASGIRequest(http, BytesIO())
    inner.get_host()
    for middleware in (SessionMiddleware, AuthenticationMiddleware):
        middleware(_never).process_request(inner)
    view = kind()
    request = Request(inner, authenticators=view.get_authenticators())
    for permission in view.get_permissions():
        permission.has_permission(request, view)
    for throttle in view.get_throttles():
        throttle.allow_request(request, view)
    return request.auth


def _never(request: object) -> HttpResponseBase:
    return HttpResponse()
