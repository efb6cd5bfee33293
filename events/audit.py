"""The operators' audit: who did what to which object, why, and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from accounts.callers import Caller
from api.body import dumps
from events.context import request_id, unique_id
from problems import Problem

Snapshot = Mapping[str, object]

NO_REASON = "no reason given"
"""What is kept where none is asked for: of what is made, and of requests to the API."""

WRITE = """
INSERT INTO events_operatoraction
    (user_id, actor, verb, kind, reason, request_id, object_id, before, after, refused, message)
SELECT %s::uuid, %s, %s, %s, %s, %s, n.*
FROM unnest(%s::text[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[]) n
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a verb: its state before and after, or why the verb was refused."""

    object_id: str
    before: Snapshot = field(default_factory=dict)
    after: Snapshot = field(default_factory=dict)
    refused: Problem | None = None


def write(caller: Caller, verb: str, kind: str, reason: str, entries: Sequence[Entry]) -> None:
    """Record what the caller did, a row for each object, in the transaction that did it.

    One statement takes all rows as arrays: through the ORM, ten thousand rows take as long as the
    verb itself.
    """
    # What one request did is shown as one: nobody may put it among what another did.
    request = unique_id.get() or request_id.get()
    shared = [caller.user_id, caller.name, verb, kind, reason or NO_REASON, request]
    each: list[list[str]] = [
        [entry.object_id for entry in entries],
        [dumps(entry.before).decode() for entry in entries],
        [dumps(entry.after).decode() for entry in entries],
        [entry.refused.code if entry.refused else "" for entry in entries],
        [entry.refused.message if entry.refused else "" for entry in entries],
    ]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [*shared, *each])
