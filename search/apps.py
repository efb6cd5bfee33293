"""Search over documents, code, and what tasks say and leave."""

from django.apps import AppConfig

from problems import families

SEARCH = families.Family("search", ("/api/search",), families.explained, detailed=True)


class SearchConfig(AppConfig):
    name = "search"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        families.register(SEARCH)
