"""The room of the chains: tasks in order, owned by one agent."""

from django.apps import AppConfig


class ChainsConfig(AppConfig):
    name = "chains"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chains import receivers  # noqa: F401  (connects them)
