"""The paths of the page, of what it reads and of its messages."""

from django.urls import path

from api.routers import Router
from dashboard.acts import ActView, VerbsView
from dashboard.live import ChangesView
from dashboard.live import StreamView as LiveStreamView
from dashboard.stream import StreamView
from dashboard.views import ConsoleViewSet, DashboardViewSet, PageView

router = Router()
router.register("v1/dashboard", DashboardViewSet, basename="snapshot")
router.register("console", ConsoleViewSet, basename="console")

urlpatterns = [
    path("", PageView.as_view(), name="dashboard"),
    path("console/stream", LiveStreamView.as_view()),
    path("console/changes", ChangesView.as_view()),
    path("console/verbs", VerbsView.as_view()),
    *router.urls,
    path("console/<kind>/<name>", ActView.as_view()),
    path("v1/stream", StreamView.as_view()),
]
