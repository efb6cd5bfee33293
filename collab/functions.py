"""Functions: views under /functions/v1, each for tokens of one scope (contract 003, 7).

Whoever adds one makes its path by `function`, which refuses what declares no scope.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.scopes import Scope
from api.throttling import BucketThrottle
from collab import etags
from collab.quotas import DailyQuota
from collab.serializers import refused
from collab.viewsets import CollabViewSet

PREFIX = "functions/v1/"
THROTTLES: Mapping[Scope, str] = {scope: f"function_{scope}" for scope in Scope}
"""The limit that counts the calls of each scope."""
COUNTED: list[type[BaseThrottle]] = [BucketThrottle, DailyQuota]


class FunctionViewSet(CollabViewSet):
    """A function. What may be called without more is in its scope."""

    function_scope: ClassVar[Scope]
    throttle_classes = COUNTED


class ReadFunction(FunctionViewSet):
    """Shows something. Who has it already, by its ETag, gets 304."""

    function_scope = Scope.READ
    throttle_scope = THROTTLES[Scope.READ]
    users_may = frozenset({"list", "show"})
    fresh_for: ClassVar[int] = 0
    """Seconds for which a copy may be shown without asking again."""

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(final, Response) and final.status_code == 200:
            etags.tag(request, final, fresh_for=self.fresh_for)
        return final


class OpsFunction(FunctionViewSet):
    """Changes something."""

    function_scope = Scope.OPS
    throttle_scope = THROTTLES[Scope.OPS]


class SignFunction(FunctionViewSet):
    """Hands out what is good without a token."""

    function_scope = Scope.SIGN
    throttle_scope = THROTTLES[Scope.SIGN]


def function(name: str, view: Any, **actions: str) -> URLPattern:
    """The path of a function. `actions`: of a viewset, its action for each method.

    Raises ImproperlyConfigured where the view does not say its scope, or is not counted in it.
    """
    check(name, view)
    made = {"basename": f"function-{name.replace('/', '-')}"} if actions else {}
    answer = view.as_view(actions, **made) if actions else view.as_view()
    pattern: URLPattern = path(f"{PREFIX}{name}", answer)
    return pattern


def check(name: str, view: type[APIView]) -> None:
    scope = getattr(view, "function_scope", None)
    if not isinstance(scope, Scope):
        raise ImproperlyConfigured(f"The function {name} must have a function_scope.")
    counted = getattr(view, "throttle_scope", "") == THROTTLES[scope]
    if not counted or not {*COUNTED} <= {*view.throttle_classes}:
        raise ImproperlyConfigured(f"The function {name} must be counted as {THROTTLES[scope]}.")


def id_in(request: Request, name: str) -> UUID:
    """The id that the query names. Raises Invalid."""
    given = request.query_params.get(name, "")
    if not given:
        raise refused(name, "is required")
    try:
        return UUID(given)
    except ValueError:
        raise refused(name, "must be a UUID") from None
