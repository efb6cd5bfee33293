"""The paths of jobs and queues; each may end with a slash. Those of runners are of /v1."""

from django.urls import include, path, re_path

from api.routers import LenientRouter, Router
from jobs.command_views import CommandTaskViewSet, QueueViewSet
from jobs.file_views import JobArchiveView, JobArtifactsView, JobArtifactView, JobLogsView
from jobs.views import JobViewSet, ParameterSchemaView

router = LenientRouter()
router.register("jobs", JobViewSet)
router.register("queues", QueueViewSet, basename="queue")
of_runners = Router()
of_runners.register("v1/tasks", CommandTaskViewSet, basename="command-task")

job_paths = [
    re_path("^parameter-schema/?$", ParameterSchemaView.as_view()),
    path("jobs/<str:job_id>/logs", JobLogsView.as_view()),
    path("jobs/<str:job_id>/artifacts", JobArtifactsView.as_view()),
    path("jobs/<str:job_id>/artifacts.zip", JobArchiveView.as_view()),
    path("jobs/<str:job_id>/artifacts/<path:path>", JobArtifactView.as_view()),
    *router.urls,
]
urlpatterns = [path("api/v1/", include(job_paths)), *of_runners.urls]
