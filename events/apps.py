"""The journal, which the database writes by triggers."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from events import bounds
from events.triggers import ask_cheaply_what_is_ignored


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events import receivers  # noqa: F401  (connects them)

        connection_created.connect(bounds.bound)
        post_migrate.connect(ask_cheaply_what_is_ignored, sender=self)
