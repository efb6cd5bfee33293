"""The paths of SPOTs; each may end with a slash."""

from django.urls import re_path

from spots import health, views

TASK = "internal/v1/tasks/(?P<task_id>[^/]+)"

urlpatterns = [
    re_path("^internal/v1/tasks/claim/?$", views.SpotClaimView.as_view()),
    re_path(f"^{TASK}/complete/?$", views.SpotCompleteView.as_view()),
    re_path(f"^{TASK}/fail/?$", views.SpotFailView.as_view()),
    re_path("^internal/v1/heartbeat/?$", views.SpotHeartbeatView.as_view()),
    re_path("^internal/v1/hello/?$", views.SpotHelloView.as_view()),
    re_path("^api/v1/health/?$", health.health),
    re_path("^api/v1/spots/?$", views.SpotsView.as_view()),
]
