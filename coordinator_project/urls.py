"""Every path, room by room."""

from django.contrib import admin
from django.urls import path

from coordinator_project.health import health

urlpatterns = [
    path("health", health),
    path("admin/", admin.site.urls),
]
