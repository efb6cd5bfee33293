"""The journal, which the database writes by triggers."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from events.triggers import ask_cheaply_what_is_ignored


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        post_migrate.connect(ask_cheaply_what_is_ignored, sender=self)
