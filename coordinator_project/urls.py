"""Every path, room by room."""

from django.contrib import admin
from django.urls import include, path

from coordinator_project.health import health

urlpatterns = [
    path("health", health),
    path("", include("chains.urls")),
    path("", include("tasks.urls")),
    path("admin/", admin.site.urls),
]
