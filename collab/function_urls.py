"""The paths of functions, and of the files that signed URLs lead to."""

from django.urls import path

from collab import function_views as views
from collab.functions import function
from collab.signed_files import SignedFileView
from collab.stream_views import JobEventsView

urlpatterns = [
    function("metrics-overview", views.MetricsOverviewViewSet, get="list"),
    function("jobs-recent", views.JobsRecentViewSet, get="list"),
    function("job-status", views.JobStatusViewSet, get="show"),
    function("job-events", JobEventsView),
    function("artifacts-list", views.ArtifactsListViewSet, get="show"),
    function("sign-artifact", views.SignArtifactViewSet, get="sign"),
    function("workers-active", views.WorkersActiveViewSet, get="show"),
    function("leases-release", views.LeasesReleaseViewSet, get="release", post="release"),
    function("dlq-list", views.DeadLettersViewSet, get="show"),
    function("dlq-retry", views.RetryViewSet, post="retry"),
    path("files/<str:bucket>/<path:path>", SignedFileView.as_view()),
]
