"""Removal of old finished chains, each with all its tasks."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from chains import transitions
from chains.exceptions import ChainUnknown
from chains.models import Chain
from chains.querysets import ChainQuerySet
from tasks.models import Task


def purge(before: datetime, *, by: str, dry_run: bool = False) -> int:
    """Delete chains without an owner whose tasks all finished before `before`; returns how many.

    A dry run only counts them. Owned chains stay, because their owners may add to them, and so do
    empty ones.
    """
    chains = _over(before)
    if dry_run:
        return chains.count()
    total = 0
    for chain_id in list(chains.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            try:
                transitions.lock_chain(chain_id)
            except ChainUnknown:  # deleted meanwhile
                continue
            if chains.filter(pk=chain_id).exists():
                transitions.delete(chain_id, by=by, reason="purge")
                total += 1
    return total


def _over(before: datetime) -> ChainQuerySet:
    tasks = Task.objects.filter(chain=OuterRef("pk"))
    young = tasks.filter(Q(finished_at=None) | Q(finished_at__gte=before))
    return Chain.objects.filter(Exists(tasks), ~Exists(young), owner=None)
