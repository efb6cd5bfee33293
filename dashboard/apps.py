"""What people look at: the dashboard, the snapshot and the stream of changes."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
