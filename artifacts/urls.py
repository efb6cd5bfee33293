"""The paths of the logs and files of tasks."""

from django.urls import path

from artifacts.views import ArchiveView, ArtifactsView, ArtifactView, LogsView

TASK = "v1/tasks/<uuid:task_id>"

urlpatterns = [
    path(f"{TASK}/logs", LogsView.as_view()),
    path(f"{TASK}/artifacts", ArtifactsView.as_view()),
    path(f"{TASK}/artifacts.zip", ArchiveView.as_view()),
    path(f"{TASK}/artifacts/<path:path>", ArtifactView.as_view()),
]
