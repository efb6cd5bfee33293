"""Calls of functions, as the dashboards and scripts of seed 003 make them."""

import json
from urllib.parse import urlencode

from tests.collab.calls import JSON

PREFIX = "/functions/v1/"


class Functions:
    """Calls functions as the caller of a client."""

    def __init__(self, client):
        self.client = client

    def get(self, name, headers=None, **query):
        path = f"{PREFIX}{name}?{urlencode(query)}" if query else f"{PREFIX}{name}"
        return self.client.get(path, headers=headers or {})

    def post(self, name, body=None, **more):
        raw = body if isinstance(body, bytes) else json.dumps(more if body is None else body)
        return self.client.generic("POST", f"{PREFIX}{name}", raw, "application/json")

    def read(self, name, **query):
        """The body of an answer that must be 200."""
        response = self.get(name, **query)
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == JSON
        return response.json()
