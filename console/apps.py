"""The console: what people do in the admin and on the dashboard, and its audit."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConsoleConfig(AppConfig):
    name = "console"
    default = True


class AdminSiteConfig(admin.AdminConfig):
    """Django's admin, open to everybody who may view the console."""

    default_site = "console.site.ConsoleSite"
    default = False
