"""The room of what tasks produce: their logs and their files, kept in an object store."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"
    default_auto_field = "django.db.models.BigAutoField"
