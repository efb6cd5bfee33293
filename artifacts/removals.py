"""Removal of objects that no row names any more.

An object is announced here before it is stored, and taken off the list in the transaction that
makes its row. So a row always has its object, and an object without a row is always on the list.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from artifacts import store
from artifacts.exceptions import StoreAway, UploadGone
from artifacts.models import Artifact, LogBatch, Removal, Reservation

UPLOAD_WITHIN = timedelta(days=1)
AGAIN = timedelta(minutes=1)
BATCH = 500
AT_ONCE = 16

log = logging.getLogger("coordinator.artifacts")


def announce(key: str) -> None:
    """An object is about to be stored: remove it in a day, unless it gets its row by then."""
    Removal.objects.create(key=key, due_at=Now() + UPLOAD_WITHIN)


def keep(key: str) -> None:
    """The object gets its row in this transaction. Raises UploadGone where it is too late."""
    if not Removal.objects.filter(key=key, taken=False).delete()[0]:
        raise UploadGone


def hasten(key: str) -> None:
    """The object will get no row: remove it soon."""
    Removal.objects.filter(key=key).update(due_at=Now())


def remove_all() -> None:
    """Every object that a row names is to be removed; the caller's transaction deletes the rows."""
    Removal.objects.update(due_at=Now())
    for model in (Artifact, LogBatch):
        keys = model._default_manager.exclude(key="").order_by("pk").values_list("key", flat=True)
        named = (Removal(key=key) for key in keys.iterator(BATCH))
        while some := list(islice(named, BATCH)):
            Removal.objects.bulk_create(some, ignore_conflicts=True)


def carry_out() -> int:
    """Remove the objects that are due; returns how many. A pass of the maintenance loop."""
    removed = 0
    while keys := _take():
        gone = asyncio.run(_remove(keys))
        Removal.objects.filter(key__in=gone).delete()
        Reservation.objects.filter(key__in=gone).delete()  # of uploads that a crash has ended
        Removal.objects.filter(key__in=set(keys) - set(gone)).update(tried_at=Now())
        removed += len(gone)
        if len(gone) < len(keys):
            break  # the store is away, perhaps; the others would only wait for it too
    return removed


def waiting() -> tuple[int, datetime | None]:
    """How many objects are to be removed and still there, and since when the first of them is."""
    due = Removal.objects.filter(due_at__lte=Now()).aggregate(
        count=Count("pk"), oldest=Min("due_at")
    )
    return due["count"], due["oldest"]


@transaction.atomic
def _take() -> list[str]:
    """Some that are due. Once they are taken, nobody gives their objects a row any more."""
    ready = Q(tried_at=None) | Q(tried_at__lte=Now() - AGAIN)
    due = Removal.objects.filter(ready, due_at__lte=Now()).order_by("due_at")
    keys = list(due.select_for_update(skip_locked=True).values_list("key", flat=True)[:BATCH])
    Removal.objects.filter(key__in=keys).update(taken=True)
    return keys


async def _remove(keys: Sequence[str]) -> list[str]:
    """Remove these objects; returns those that are gone."""
    turn = asyncio.Semaphore(AT_ONCE)
    objects = store.current()
    failures: list[StoreAway] = []

    async def remove(key: str) -> str:
        async with turn:
            try:
                await objects.delete(key)
            except StoreAway as failure:
                failures.append(failure)
                return ""
            return key

    gone = [key for key in await asyncio.gather(*map(remove, keys)) if key]
    if failures:
        why = str(failures[0].__cause__ or failures[0]).partition("\n")[0]
        log.warning("Objects were not removed.", extra={"objects": len(failures), "problem": why})
    return gone
