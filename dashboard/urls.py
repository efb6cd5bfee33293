"""The paths of the snapshot and the stream."""

from django.urls import path

from dashboard.stream import stream
from dashboard.views import DashboardView

urlpatterns = [
    path("v1/dashboard", DashboardView.as_view()),
    path("v1/stream", stream),
]
