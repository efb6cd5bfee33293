"""The console: what people do in the admin and on the dashboard, and its audit."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin

from problems import families

ADMIN = families.Family("admin", ("/admin",), pages=True)


class ConsoleConfig(AppConfig):
    name = "console"
    default = True

    def ready(self) -> None:
        families.register(ADMIN)


class AdminSiteConfig(admin.AdminConfig):
    """Django's admin, open to everybody who may view the console."""

    default_site = "console.site.ConsoleSite"
    default = False
