"""Agents: presence, registration, draining."""

from django.apps import AppConfig

from problems import families

V1 = families.Family("agents", ("/v1",))


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.signals import agent_named
        from agents import ownership

        families.register(V1)
        agent_named.connect(ownership.when_named)
