"""The project as an app: its own tables, commands and paths."""

from django.apps import AppConfig
from django.conf import settings

from metrics import sources
from problems import families

HEALTH = families.Family("health", ("/health", "/livez", "/readyz"))


class ProjectConfig(AppConfig):
    name = "coordinator_project"

    def ready(self) -> None:
        # Only now: its modules have models.
        from coordinator_project import late_passes, own_metrics
        from dashboard import attention
        from vault import metrics as vault_metrics

        families.register(HEALTH)
        sources.register(own_metrics.collect)
        attention.register(late_passes.collect)
        sources.register(vault_metrics.collect)
        if settings.TRACES:
            from coordinator_project import traces  # noqa: F401  (connects its receivers)


class RunserverConfig(AppConfig):
    """daphne for `runserver`, which loads the server, and all of Twisted, only when it runs."""

    name = "daphne"
    default = False
