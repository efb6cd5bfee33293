"""Removal of old finished chains, each with all its tasks."""

from datetime import datetime
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from chains import transitions
from chains.exceptions import ChainUnknown
from chains.models import Chain
from chains.querysets import ChainQuerySet
from problems.database import is_lock_timeout
from tasks.exceptions import ChainBusy
from tasks.models import Task
from tasks.retention import PurgedRows


def purge(before: datetime, *, by: str, dry_run: bool = False) -> PurgedRows:
    """Delete chains without an owner whose tasks all finished before `before`.

    A dry run only counts them. Owned chains stay, because their owners may add to them, and so do
    empty ones; those that others have locked, or a task of them, are left.
    """
    chains = _over(before)
    if dry_run:
        return PurgedRows(chains.count())
    gone = left = 0
    for chain_id in list(chains.order_by("pk").values_list("pk", flat=True)):
        try:
            gone += _delete(chains, chain_id, by=by)
        except ChainUnknown:  # deleted meanwhile
            continue
        except ChainBusy:
            left += 1
        except OperationalError as problem:  # an attempt or an input is locked
            if not is_lock_timeout(problem):
                raise
            left += 1
    return PurgedRows(gone, left)


@transaction.atomic
def _delete(chains: ChainQuerySet, chain_id: UUID, *, by: str) -> bool:
    """Delete the chain if it still is one of these; whether it was."""
    transitions.lock_chain(chain_id, skip_locked=True)
    if not chains.filter(pk=chain_id).exists():
        return False
    transitions.delete(chain_id, by=by, reason="purge", skip_locked=True)
    return True


def _over(before: datetime) -> ChainQuerySet:
    tasks = Task.objects.filter(chain=OuterRef("pk"))
    young = tasks.filter(Q(finished_at=None) | Q(finished_at__gte=before))
    return Chain.objects.filter(Exists(tasks), ~Exists(young), owner=None)
