"""The paths of SPOTs; each may end with a slash."""

from django.urls import re_path

from spots import health, views

TASK = "internal/v1/tasks/(?P<task_id>[^/]+)"

urlpatterns = [
    re_path("^internal/v1/tasks/claim/?$", views.ClaimView.as_view()),
    re_path(f"^{TASK}/complete/?$", views.CompleteView.as_view()),
    re_path(f"^{TASK}/fail/?$", views.FailView.as_view()),
    re_path("^internal/v1/heartbeat/?$", views.HeartbeatView.as_view()),
    re_path("^internal/v1/hello/?$", views.HelloView.as_view()),
    re_path("^api/v1/health/?$", health.health),
    re_path("^api/v1/spots/?$", views.SpotsView.as_view()),
]
