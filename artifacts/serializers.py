"""What requests about logs say."""

import re
from datetime import UTC, datetime

from api.fields import Name, Refer, Schema, Strict, Text, WholeNumber
from api.serializers import RequestSerializer
from artifacts.models import Stream
from problems import Invalid, TooLarge

LARGEST = 2**63 - 1
MOST_ENTRIES = 5_000
MAX_MESSAGE_BYTES = 256 * 1024

SPELLED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]\d{6}Z", re.ASCII)

Entry = tuple[str, str]
"""A line of a log: its time as `spelled`, and its text."""


class LogEntries(Strict):
    """Lines of a log; read by hand, since there may be thousands a second."""

    expected = "a list of objects"

    def check(self, data: object) -> list[Entry]:
        if not isinstance(data, list):
            raise self.wrong_type()
        if not data:
            raise self.refused("must not be empty")
        if len(data) > MOST_ENTRIES:
            raise self.refused(f"must not have more than {MOST_ENTRIES} items")
        return [self.entry(place, one) for place, one in enumerate(data)]

    def entry(self, place: int, data: object) -> Entry:
        where = f"{self.field_name}[{place}]"
        if not isinstance(data, dict):
            raise Invalid(f"{where} must be an object", code="bad_json")
        message = data.get("message")
        if not isinstance(message, str):
            raise Invalid(f"{where}.message must be a string", code="bad_json")
        # Each character has at most four bytes.
        if len(message) * 4 > MAX_MESSAGE_BYTES and len(message.encode()) > MAX_MESSAGE_BYTES:
            raise TooLarge(f"{where}.message must not be larger than {MAX_MESSAGE_BYTES} bytes")
        return spelled_in(data.get("at"), f"{where}.at"), message

    def schema(self, refer: Refer) -> Schema:
        entry = {
            "type": "object",
            "required": ["at", "message"],
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "message": {"type": "string"},
            },
        }
        return {"type": "array", "items": entry, "minItems": 1, "maxItems": MOST_ENTRIES}


def spelled(at: datetime) -> str:
    """A time in UTC, always as long: such texts are in the order of time."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def spelled_in(text: object, where: str) -> str:
    """A time of RFC 3339 as we spell it."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            is_spelled = isinstance(text, str) and SPELLED.fullmatch(text)
            return str(text) if is_spelled else spelled(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise Invalid(f"{where} must be a time with an offset, such as 2026-01-31T12:00:00.5Z")


class LogBatchRequestSerializer(RequestSerializer):
    """Some lines of one stream of a task, numbered from 1 in each lease.

    What the database could not store in a message is replaced by what people see in its place.
    """

    passed = frozenset({"entries"})

    agent_id = Name()
    lease_epoch = WholeNumber(least=1, most=LARGEST)
    stream = Text(choices=frozenset(Stream.values))
    sequence = WholeNumber(least=1, most=LARGEST)
    entries = LogEntries()
