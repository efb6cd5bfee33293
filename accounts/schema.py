"""How callers are recognized, as the API's schema has it."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

Definition = dict[str, str]

BEARER: Definition = {"type": "http", "scheme": "bearer"}
API_KEY: Definition = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
QUERY: Definition = {
    "type": "apiKey",
    "in": "query",
    "name": "token",
    "description": "For streams, where a browser can send no header.",
}


class TokenScheme(OpenApiAuthenticationExtension):
    """One header or the other."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = ["bearerToken", "apiKey"]
    definitions = [BEARER, API_KEY]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Definition]:
        return list(self.definitions)


class QueryTokenScheme(TokenScheme):
    """The same, or in the query."""

    target_class = "accounts.authentication.QueryTokenAuthentication"
    name = ["queryToken"]
    definitions = [QUERY]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in [*TokenScheme.name, *self.name]]


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> Definition:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A person who has signed in. A change needs `X-CSRFToken` too.",
        }


class LoopbackScheme(OpenApiAuthenticationExtension):
    """Protected mode: this machine needs no credential while none has been issued."""

    target_class = "accounts.authentication.LoopbackAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[Any]]:
        return {}

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Definition]:
        return []


class AgentKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.AgentKeyAuthentication"
    name = "agentKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Definition:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-Orhestra-Key",
            "description": "Where a key is set, no other credential counts on these paths.",
        }
