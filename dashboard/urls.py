"""The paths of the page, of what it reads and of its messages."""

from django.urls import include, path

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

console_paths = [
    path("overview", OverviewView.as_view()),
    path("board", BoardView.as_view()),
    path("tasks", BoardTasksView.as_view()),
    path("chains/<uuid:chain_id>", BoardChainView.as_view()),
    path("chains/<uuid:chain_id>/tasks", StepsView.as_view()),
    path("jobs", ConsoleJobsView.as_view()),
    path("jobs/<job_id>/plot", PlotView.as_view()),
    path("live", may_watch),
    path("stream", stream),
    path("changes", changes),
    path("verbs", VerbsView.as_view()),
    path("<kind>/<name>", ActView.as_view()),
]
urlpatterns = [
    path("", page, name="dashboard"),
    path("console/", include(console_paths)),
    path("v1/dashboard", DashboardView.as_view()),
    path("v1/stream", v1_stream),
]
