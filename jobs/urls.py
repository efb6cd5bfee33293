"""The paths of sweeps; each may end with a slash."""

from django.urls import include, path, re_path

from jobs import result_views, views

JOB = "jobs/(?P<job_id>[^/]+)"

job_paths = [
    re_path("^parameter-schema/?$", views.ParameterSchemaView.as_view()),
    re_path("^jobs/?$", views.SweepsView.as_view()),
    re_path(f"^{JOB}/?$", views.SweepView.as_view()),
    re_path(f"^{JOB}/cancel/?$", views.SweepCancelView.as_view()),
    re_path(f"^{JOB}/retry/?$", views.SweepRetryView.as_view()),
    re_path(f"^{JOB}/results/?$", result_views.ResultsView.as_view()),
    re_path(f"^{JOB}/best/?$", result_views.BestView.as_view()),
    re_path(f"^{JOB}/statistics/?$", result_views.StatisticsView.as_view()),
]
urlpatterns = [path("api/v1/", include(job_paths))]
