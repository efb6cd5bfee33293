"""How much room a task has for its artifacts, and who has reserved some of it.

An upload reserves room before its first byte is stored: as much as it announces, and what has come
without having been announced. So all uploads of a task together never store more than it may have.
Called inside a transaction that has locked the task.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import Now

from artifacts.exceptions import ArtifactTooLarge, RoomTaken, TooManyArtifacts
from artifacts.models import Artifact, Reservation

COUNTS_FOR = timedelta(minutes=2)
"""After which a reservation that was not renewed counts no more."""


def reserve(task_id: UUID, key: str, size: int, *, instead_of: Artifact | None) -> None:
    """Reserve room for an object of so many bytes, or renew what it has.

    Raises as `check` does, and RoomTaken where there would be room if no other upload was there.
    """
    used, count = check(task_id, size, instead_of=instead_of)
    Reservation.objects.filter(task_id=task_id, renewed_at__lt=Now() - COUNTS_FOR).delete()
    others = Reservation.objects.filter(task_id=task_id).exclude(key=key)
    reserved = others.aggregate(count=Count("pk"), size=Sum("size"))
    if (
        used + (reserved["size"] or 0) + size > settings.ARTIFACTS_MAX_BYTES
        or count + reserved["count"] >= settings.ARTIFACTS_MAX_COUNT
    ):
        raise RoomTaken
    values = {"task_id": task_id, "size": size, "renewed_at": Now()}
    Reservation.objects.update_or_create(key=key, defaults=values)


def give_back(key: str) -> None:
    """The upload is over, however it ended."""
    Reservation.objects.filter(key=key).delete()


def check(task_id: UUID, size: int, *, instead_of: Artifact | None) -> tuple[int, int]:
    """The bytes and the number of the artifacts of a task, without the one that is replaced.

    Raises ArtifactTooLarge or TooManyArtifacts where there is no room for one more of this size.
    """
    rows = Artifact.objects.filter(task=task_id)
    others = rows.exclude(pk=instead_of.pk) if instead_of else rows
    there = others.aggregate(count=Count("pk"), size=Sum("size"))
    used: int = there["size"] or 0
    if there["count"] >= settings.ARTIFACTS_MAX_COUNT:
        raise TooManyArtifacts(f"The task has {settings.ARTIFACTS_MAX_COUNT} artifacts already.")
    if used + size > settings.ARTIFACTS_MAX_BYTES:
        raise ArtifactTooLarge(
            f"All artifacts of the task would be larger than {settings.ARTIFACTS_MAX_BYTES} bytes."
        )
    return used, there["count"]
