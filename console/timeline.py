"""The timeline of an object: its rows of the journal and the audit, the latest first."""

from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.utils.translation import gettext

from accounts import cells
from console import kinds
from events.models import Event, OperatorAction
from events.querysets import EventQuerySet
from events.words import event_name

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
    kind: str = ""
    """Of the object of an operator's verb; events have none."""
    source: str = ""
    """Of an event."""

    @property
    def words(self) -> str:
        """The verb as its button says it; an event by its name."""
        if self.kind:
            return kinds.verb_label(self.kind, self.what)
        return event_name(self.what, self.source)


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
    ends = [changed[end] for end in ("from", "to") if changed.get(end)]
    detail = " → ".join(map(_status, ends))
    made = event.created_at, event.type, event.actor, event.reason, detail
    return TimelineRow(*made, source=event.source)


def _status(value: object) -> str:
    """A status of the journal in words, which rooms above have for their own."""
    return cells.word(gettext(str(value).replace("_", " ").title()))


def _of_action(action: OperatorAction) -> TimelineRow:
    return TimelineRow(
        action.created_at,
        action.verb,
        action.actor,
        action.reason,
        action.message,
        bool(action.refused),
        action.kind,
    )
