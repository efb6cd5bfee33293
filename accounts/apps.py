"""Users, credentials and permissions."""

from django.apps import AppConfig

from problems import families

PAGES = families.Family("pages", ("/login", "/logout", "/password", "/i18n"), pages=True)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        families.register(PAGES)
