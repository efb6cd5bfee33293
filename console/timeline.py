"""The timeline of an object: its rows of the journal and the audit, the latest first."""

from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from events.models import Event, OperatorAction
from events.querysets import EventQuerySet

ROWS = 50


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """Something that happened, who did it and why."""

    at: datetime
    what: str
    actor: str
    reason: str
    detail: str = ""
    refused: bool = False


def timeline(events: EventQuerySet, kind: str, object_id: object) -> list[TimelineRow]:
    """The latest rows about an object."""
    actions = OperatorAction.objects.about(kind, object_id).order_by("-id")[:ROWS]
    both = merge(
        (_of_event(event) for event in events.order_by("-id")[:ROWS]),
        (_of_action(action) for action in actions),
        key=lambda row: row.at,
        reverse=True,
    )
    return list(islice(both, ROWS))


def _of_event(event: Event) -> TimelineRow:
    changed = event.payload if isinstance(event.payload, dict) else {}
    detail = " → ".join(str(changed[end]) for end in ("from", "to") if changed.get(end))
    return TimelineRow(event.created_at, event.type, event.actor, event.reason, detail)


def _of_action(action: OperatorAction) -> TimelineRow:
    return TimelineRow(
        action.created_at,
        action.verb,
        action.actor,
        action.reason,
        action.message,
        bool(action.refused),
    )
