"""The paths of the page, of what it reads and of its messages."""

from django.urls import path

from dashboard.acts import ActView, VerbsView
from dashboard.live import changes, may_watch, stream
from dashboard.stream import stream as v1_stream
from dashboard.views import (
    BoardChainView,
    BoardTasksView,
    BoardView,
    ConsoleJobsView,
    DashboardView,
    OverviewView,
    PlotView,
    StepsView,
    page,
)

urlpatterns = [
    path("", page, name="dashboard"),
    path("console/overview", OverviewView.as_view()),
    path("console/board", BoardView.as_view()),
    path("console/tasks", BoardTasksView.as_view()),
    path("console/chains/<uuid:chain_id>", BoardChainView.as_view()),
    path("console/chains/<uuid:chain_id>/tasks", StepsView.as_view()),
    path("console/jobs", ConsoleJobsView.as_view()),
    path("console/jobs/<job_id>/plot", PlotView.as_view()),
    path("console/live", may_watch),
    path("console/stream", stream),
    path("console/changes", changes),
    path("console/verbs", VerbsView.as_view()),
    path("console/<kind>/<name>", ActView.as_view()),
    path("v1/dashboard", DashboardView.as_view()),
    path("v1/stream", v1_stream),
]
