"""The project as an app: its own tables, commands and paths."""

from django.apps import AppConfig

from problems import families

HEALTH = families.Family("health", ("/health",))


class ProjectConfig(AppConfig):
    name = "coordinator_project"

    def ready(self) -> None:
        families.register(HEALTH)
