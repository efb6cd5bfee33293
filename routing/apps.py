"""Calls of language models: which provider serves them, what they cost, and how it went."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from metrics import sources


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = _("Language models")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from routing import collecting, usage

        sources.register(collecting.collect)
        sources.register_totals(usage.totals)
        sources.register_providers(usage.health_since)
