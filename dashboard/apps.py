"""What people look at: the dashboard, the snapshot and the stream of changes."""

from django.apps import AppConfig

from problems import families

CONSOLE = families.Family("console", ("/console",))


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        # Only now: its modules have models.
        from dashboard import attention, findings

        families.register(CONSOLE)
        attention.register(findings.collect)
