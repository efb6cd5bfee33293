"""Answers: JSON with a newline at its end; times are RFC 3339 in UTC, ids are strings."""

from collections.abc import Mapping

import orjson
from rest_framework.renderers import BaseRenderer

from api import body

OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class ORJSONRenderer(BaseRenderer):
    """JSON by orjson. What is encoded already passes as it is."""

    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return data if isinstance(data, bytes) else dumps(data)


def dumps(data: object) -> bytes:
    return body.dumps(data, OPTIONS)
