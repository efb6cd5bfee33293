"""Settles every chain, and returns what was wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from chains import transitions
from chains.exceptions import ChainUnknown
from chains.models import Chain
from chains.settle import settle
from events import journal
from tasks import ready
from tasks.exceptions import ChainBusy
from tasks.models import Task

BATCH = 1_000
BUSY = "somebody has locked it; it was left as it is"


@dataclass(frozen=True, slots=True)
class ChainRepair:
    """The values of a chain that were wrong, in sentences: what each was, and what it is now."""

    chain_id: UUID
    changes: list[str]


def settle_all(*, by: str, reason: str, dry_run: bool = False) -> Iterator[ChainRepair]:
    """Settle every chain, each in its own transaction; yields those that were wrong.

    A dry run rolls each back. One that somebody else has locked is not waited for, but named.
    """
    last: UUID | None = None
    while True:
        chains = Chain.objects.filter(pk__gt=last) if last else Chain.objects.all()
        ids = list(chains.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            return
        for chain_id in ids:
            try:
                changes = _repair(chain_id, by=by, reason=reason, dry_run=dry_run)
            except ChainBusy:
                changes = [BUSY]
            if changes:
                yield ChainRepair(chain_id, changes)
        last = ids[-1]


@transaction.atomic
def _repair(chain_id: UUID, *, by: str, reason: str, dry_run: bool) -> list[str]:
    journal.attribute(actor=by, reason=reason)
    try:
        chain = transitions.lock_chain(chain_id, skip_locked=True)
    except ChainUnknown:  # deleted meanwhile
        return []
    was, status = _marks(chain), chain.status
    # Settling reads only a few tasks of a chain, and never those far behind.
    Task.objects.filter(chain=chain, blocked=True).queued().exclude(reserved_for=None).update(
        reserved_for=None
    )
    if settle(chain):
        ready.announce([chain.channel_id])
    now = _marks(chain)
    changes = [
        f"task {sequence} was {was.get(sequence, BEHIND)}, is {now.get(sequence, BEHIND)}"
        for sequence in sorted(was.keys() | now.keys())
        if was.get(sequence) != now.get(sequence)
    ]
    if chain.status != status:
        changes.insert(0, f"it was {status}, is {chain.status}")
    transaction.set_rollback(dry_run)
    return changes


BEHIND = "blocked"


def _marks(chain: Chain) -> dict[int, str]:
    """The marks of the open tasks that are not blocked or are reserved, by sequence."""
    marked = (
        Task.objects.filter(chain=chain)
        .open()
        .filter(Q(blocked=False) | Q(reserved_for__isnull=False))
    )
    return {
        sequence: f"{'blocked' if blocked else 'not blocked'}, for {agent or 'anybody'}"
        for sequence, blocked, agent in marked.values_list("sequence", "blocked", "reserved_for")
    }
