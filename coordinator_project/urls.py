"""Every path, room by room."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog
from drf_spectacular.renderers import OpenApiJsonRenderer

from api.nothing import NothingView
from collab.authentication import OF_COLLAB
from coordinator_project.health import DetailsView, HealthView, LiveView
from coordinator_project.readiness import ReadyView
from coordinator_project.schema_pages import RedocView, SchemaView, SwaggerView

urlpatterns = [
    # Tried one after the other: first those that agents ask for all the time.
    path("", include("chains.urls")),
    path("", include("spots.urls")),
    path("", include("tasks.urls")),
    path("", include("artifacts.urls")),
    path("", include("collab.urls")),
    path("", include("vault.urls")),
    path("", include("dashboard.urls")),
    path("", include("routing.urls")),
    path("", include("metrics.urls")),
    path("", include("search.urls")),
    path("", include("jobs.urls")),
    path("", include("events.urls")),
    path("health", HealthView.as_view()),
    path("health/details", DetailsView.as_view()),
    path("livez", LiveView.as_view()),
    path("readyz", ReadyView.as_view()),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/schema/swagger/", SwaggerView.as_view(), name="swagger"),
    path("api/schema/redoc/", RedocView.as_view(), name="redoc"),
    path("docs", SwaggerView.as_view()),
    path("docs.json", SchemaView.as_view(renderer_classes=[OpenApiJsonRenderer])),
    path("", include("accounts.urls")),
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path(
        "jsi18n/",
        JavaScriptCatalog.as_view(packages=["dashboard"]),
        name="javascript-catalog",
    ),
    re_path("^functions/", NothingView.as_view(authentication_classes=OF_COLLAB)),
    re_path("^api/collab/", NothingView.as_view(authentication_classes=OF_COLLAB)),
    re_path("", NothingView.as_view()),
]
handler400 = "problems.views.bad_request"
handler403 = "problems.views.permission_denied"
handler404 = "problems.views.not_found"
handler500 = "problems.views.crashed"
