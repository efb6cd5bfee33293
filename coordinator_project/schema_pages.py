"""`/api/schema/`: the schema, and pages that show it, by drf-spectacular's own views."""

from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.views import APIView

from accounts.permissions import NotAllowed
from problems import Unauthorized


class SchemaView(SpectacularAPIView):
    """YAML, or JSON by `?format=json` or the Accept header."""

    content_negotiation_class = DefaultContentNegotiation


class PageOfSchema(APIView):
    """A page; who may not look is sent to sign in."""

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        if isinstance(exc, (Unauthorized, NotAllowed)):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)


class SwaggerView(PageOfSchema, SpectacularSwaggerSplitView):
    """Swagger UI."""


class RedocView(PageOfSchema, SpectacularRedocView):
    """Redoc."""
