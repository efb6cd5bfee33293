"""SPOT machines: seed 004's protocol on the verbs of the engine."""

from django.apps import AppConfig

from problems import families

SPOTS = families.Family(
    "spots",
    ("/internal", "/api/v1/spots", "/api/v1/health", "/api/health"),
    families.flat,
    brief=True,
)


class SpotsConfig(AppConfig):
    name = "spots"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        families.register(SPOTS)
