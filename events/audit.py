"""The operators' audit: who did what to which thing, why, and what it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accounts.callers import Caller
from events.context import request_id
from events.models import OperatorAction
from problems import Problem

Snapshot = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a verb was used on: as it was and as it is, or why it was refused."""

    object_id: str
    before: Snapshot = field(default_factory=dict)
    after: Snapshot = field(default_factory=dict)
    refused: Problem | None = None


def write(caller: Caller, verb: str, kind: str, reason: str, entries: Sequence[Entry]) -> None:
    """Keep what the caller did, a row for each thing, in the transaction that did it."""
    OperatorAction.objects.bulk_create(
        [
            OperatorAction(
                user_id=caller.user_id,
                actor=caller.name,
                verb=verb,
                kind=kind,
                object_id=entry.object_id,
                reason=reason,
                before=entry.before,
                after=entry.after,
                refused=entry.refused.code if entry.refused else "",
                message=entry.refused.message if entry.refused else "",
                request_id=request_id.get(),
            )
            for entry in entries
        ],
        batch_size=1_000,
    )
