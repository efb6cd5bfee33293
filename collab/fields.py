"""Fields of seed 003's requests."""

from datetime import UTC, datetime

from api import fields
from api.fields import Refer, Schema


class Time(fields.Text):
    """A time with its offset, as RFC 3339 has it."""

    expected = "a time like 2026-01-31T12:00:00Z"

    def check(self, data: object) -> object:
        text = super().check(data)
        if not isinstance(text, str) or not text:
            return text
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise self.wrong_type()
            return at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.wrong_type() from None

    def schema(self, refer: Refer) -> Schema:
        return {"type": "string", "format": "date-time"}
