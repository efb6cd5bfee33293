"""Server-sent events, and the log of a job as it comes by them."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from coordinator_client.models import LogEntry
from coordinator_client.values import Object, decode

Line: TypeAlias = tuple[datetime, str, str, int]


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Object


class EventReader:
    """Reads events from chunks of text; comments do not matter."""

    def __init__(self) -> None:
        self.rest = ""
        self.fields: dict[str, str] = {}

    def feed(self, chunk: str) -> list[Event]:
        *lines, self.rest = (self.rest + chunk).split("\n")
        found = [self.line(line.removesuffix("\r")) for line in lines]
        return [event for event in found if event]

    def line(self, line: str) -> Event | None:
        """The event that ends with this line, if one does."""
        if line:
            name, _, value = line.partition(":")
            self.fields[name] = value.removeprefix(" ")
            return None
        fields, self.fields = self.fields, {}
        try:
            data = json.loads(fields.get("data", ""))
        except ValueError:
            return None
        data = data if isinstance(data, dict) else {}
        return Event(fields.get("event", ""), fields.get("id", ""), data)


class LogFollower:
    """Knows where a log goes on after its stream broke off, which no line must come twice for.

    An id stands for all before it; the lines since the last one come again, and are left out. Other
    lines may come among them: what another stream had sent late has its place by its time.
    """

    def __init__(self) -> None:
        self.ended = False
        self.last_id = ""
        self.since: list[LogEntry] = []
        self.known: Counter[Line] = Counter()
        self.reader = EventReader()

    def headers(self) -> dict[str, str]:
        """Of the request that begins, or goes on."""
        self.reader = EventReader()
        self.known.update(map(line_of, self.since))
        self.since = []
        again = {"Last-Event-ID": self.last_id} if self.last_id else {}
        return {"Accept": "text/event-stream", **again}

    def feed(self, chunk: str) -> list[LogEntry]:
        return [entry for event in self.reader.feed(chunk) for entry in self.take(event)]

    def take(self, event: Event) -> list[LogEntry]:
        if event.name == "end":
            self.ended = True
        if "message" not in event.data:
            return []
        entry = decode(LogEntry, event.data)
        self.since.append(entry)
        if event.id:
            self.last_id, self.since = event.id, []
        line = line_of(entry)
        if line not in self.known:
            return [entry]
        self.known[line] -= 1
        if not self.known[line]:
            del self.known[line]
        return []


def line_of(entry: LogEntry) -> Line:
    """All that tells one line from another."""
    return entry.timestamp, entry.stream, entry.message, entry.attempt
