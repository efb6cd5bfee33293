"""Bodies of requests: JSON, whatever the Content-Type says."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from api import marks
from api.body import JsonValue


class StrictJSONParser(BaseParser):
    """JSON that the database can store, or a Problem that names what it cannot.

    Where texts that are only passed on need it, the body comes `Marked`. An empty one is not read
    by REST framework, which takes it for an object without fields.
    """

    media_type = "*/*"

    def parse(  # type: ignore[override]  # the stubs know of forms alone
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> JsonValue:
        # Django reads no more than it may hold, where a stream would give all.
        return marks.parse((parser_context or {})["request"].body)
