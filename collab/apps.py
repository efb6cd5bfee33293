"""Collaborating workers: seed 003's jobs with leases, on the verbs of the engine."""

from django.apps import AppConfig

from problems import families

COLLAB = families.Family("collab", ("/api/collab",), families.explained, detailed=True)
FUNCTIONS = families.Family(
    "functions", ("/functions/v1", "/files/"), families.explained, detailed=True
)


class CollabConfig(AppConfig):
    name = "collab"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        families.register(COLLAB)
        families.register(FUNCTIONS)
