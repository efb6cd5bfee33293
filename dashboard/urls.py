"""The paths of the page, of what it reads and of its messages."""

from django.urls import path

from api.routers import Router
from dashboard.acts import ActView, VerbsView
from dashboard.live import ChangesView
from dashboard.live import StreamView as LiveStreamView
from dashboard.notifications import NotificationViewSet
from dashboard.stream import StreamView
from dashboard.tables.actions import ActionTableViewSet
from dashboard.tables.agents import AgentTableViewSet
from dashboard.tables.jobs import JobTableViewSet
from dashboard.tables.letters import LetterTableViewSet
from dashboard.tables.tasks import TaskTableViewSet
from dashboard.views import ConsoleViewSet, DashboardViewSet, PageView

router = Router()
router.register("v1/dashboard", DashboardViewSet, basename="snapshot")
router.register("v1/notifications", NotificationViewSet)
router.register("console/tables/tasks", TaskTableViewSet, basename="task-table")
router.register("console/tables/agents", AgentTableViewSet, basename="agent-table")
router.register("console/tables/dead-letters", LetterTableViewSet, basename="letter-table")
router.register("console/tables/jobs", JobTableViewSet, basename="job-table")
router.register("console/tables/actions", ActionTableViewSet, basename="action-table")
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
