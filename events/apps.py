"""The journal, which the database writes by triggers."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
