"""The console: what people do in the admin and on the dashboard, and its audit."""

import json

from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.utils.html import format_html

from problems import families

ADMIN = families.Family("admin", ("/admin",), pages=True)


class ConsoleConfig(AppConfig):
    name = "console"
    default = True

    def ready(self) -> None:
        families.register(ADMIN)
        # Unfold has no setting for it. Its own writes a style into every word, where pygments is
        # installed, and the policy of the pages forbids that.
        from unfold import fields

        fields.prettify_json = indented


def indented(value: object, encoder: type[json.JSONEncoder] | None) -> str:
    """JSON as the pages of the admin show it."""
    text = json.dumps(value, sort_keys=True, indent=4, ensure_ascii=False, cls=encoder)
    return format_html('<pre class="indented">{}</pre>', text)


class AdminSiteConfig(admin.AdminConfig):
    """Django's admin, open to everybody who may view the console."""

    default_site = "console.site.ConsoleSite"
    default = False
