"""The key vault: secrets of providers, sealed at rest, in versions, each use of them audited."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "vault"
    default_auto_field = "django.db.models.BigAutoField"
