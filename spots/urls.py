"""The paths of SPOTs; each may end with a slash."""

from django.urls import include, path, re_path

from spots import health, views

TASK = "tasks/(?P<task_id>[^/]+)"

spot_paths = [
    re_path("^tasks/claim/?$", views.SpotClaimView.as_view()),
    re_path(f"^{TASK}/complete/?$", views.SpotCompleteView.as_view()),
    re_path(f"^{TASK}/fail/?$", views.SpotFailView.as_view()),
    re_path(f"^{TASK}/release/?$", views.SpotReleaseView.as_view()),
    re_path("^heartbeat/?$", views.SpotHeartbeatView.as_view()),
    re_path("^hello/?$", views.SpotHelloView.as_view()),
]
urlpatterns = [
    path("internal/v1/", include(spot_paths)),
    re_path("^api/v1/health/?$", health.health),
    re_path("^api/v1/spots/?$", views.SpotsView.as_view()),
]
