"""The paths of Collab jobs."""

from django.urls import include, path

from api.routers import Router
from collab.stream_views import EventStreamView
from collab.task_views import CollabTaskViewSet, WorkerViewSet
from collab.views import (
    CollabHealthView,
    CollabJobViewSet,
    JobArtifactViewSet,
    JobEventViewSet,
    OverviewViewSet,
    RecentJobsViewSet,
)

router = Router()
router.register("job", CollabJobViewSet, basename="collab-job")
router.register("jobs/recent", RecentJobsViewSet, basename="collab-recent-jobs")
router.register("artifacts/by-job", JobArtifactViewSet, basename="collab-artifacts")
router.register("events/by-job", JobEventViewSet, basename="collab-events")
router.register("metrics/overview", OverviewViewSet, basename="collab-overview")
router.register("workers", WorkerViewSet, basename="collab-worker")
router.register("", CollabTaskViewSet, basename="collab-task")

collab_paths = [
    path("health", CollabHealthView.as_view()),
    path("events/stream", EventStreamView.as_view()),
    *router.urls,
]
urlpatterns = [
    path("api/collab/", include(collab_paths)),
    path("", include("collab.function_urls")),
]
