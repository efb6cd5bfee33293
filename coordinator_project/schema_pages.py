"""`/api/schema/`: the schema, and pages that show it, by drf-spectacular's own views."""

from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.headers import SECURE_CSP, with_policy
from accounts.permissions import BeyondScopes, NotAllowed, NotForAgents
from coordinator_project import openapi
from problems import Unauthorized

OWN_STYLES = {
    **SECURE_CSP,
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "worker-src": ["'self'", "blob:"],
}
"""Both pages set styles while they run, and Redoc looks things up in a worker."""


class SchemaView(SpectacularAPIView):
    """YAML, or JSON by `?format=json` or the Accept header."""

    content_negotiation_class = DefaultContentNegotiation
    users_may = frozenset({"get"})

    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """What drf-spectacular reads of the query besides would be kept for each value."""
        return Response(openapi.whole())


class PageOfSchema(APIView):
    """A page; who may not look is sent to sign in."""

    users_may = frozenset({"get"})

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        refused = isinstance(exc, (NotForAgents, BeyondScopes))
        if isinstance(exc, (Unauthorized, NotAllowed)) and not refused:
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)


@method_decorator(with_policy(OWN_STYLES), name="dispatch")
class SwaggerView(PageOfSchema, SpectacularSwaggerSplitView):
    """Swagger UI."""


@method_decorator(with_policy(OWN_STYLES), name="dispatch")
class RedocView(PageOfSchema, SpectacularRedocView):
    """Redoc."""
