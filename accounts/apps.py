"""Users, credentials and permissions."""

from django.apps import AppConfig

from problems import families

PAGES = families.Family(
    "pages", ("/login", "/logout", "/password", "/agent-auth.html", "/i18n"), pages=True
)
TOKENS = families.Family("tokens", ("/api/v1/tokens",), families.worded, detailed=True)
AUTH = families.Family("auth", ("/v1/auth/",), families.nested_bad_request)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import receivers  # noqa: F401

        for family in (PAGES, TOKENS, AUTH):
            families.register(family)
