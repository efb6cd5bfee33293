"""Calls of language models: which provider serves them, what they cost, and how it went."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = _("Language models")
    default_auto_field = "django.db.models.BigAutoField"
