"""SPOT machines: seed 004's protocol on the verbs of the engine."""

from django.apps import AppConfig


class SpotsConfig(AppConfig):
    name = "spots"
    default_auto_field = "django.db.models.BigAutoField"
