"""The journal: what happened, written by the database itself."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
