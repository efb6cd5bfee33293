"""What people look at: a snapshot of everything, and the stream of what changes."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
