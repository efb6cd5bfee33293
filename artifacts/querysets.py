"""Questions about the artifacts of a task."""

from collections.abc import Collection
from uuid import UUID

from artifacts.models import Artifact
from tasks.models import Attempt, AttemptOutcome, Task

LOST = (
    AttemptOutcome.EXPIRED,
    AttemptOutcome.LOST,
    AttemptOutcome.DETACHED,
    AttemptOutcome.RESET,
)
"""How a lease ends that its agent did not end."""


def artifacts_of(task_id: UUID) -> list[Artifact]:
    """All artifacts of a task, those of its last attempt first, with whether they are lost."""
    rows = list(Artifact.objects.filter(task=task_id).order_by("-epoch", "path"))
    lost = lost_epochs(task_id) if rows else ()
    for row in rows:
        row.is_lost = row.epoch in lost
    return rows


def artifact_at(task_id: UUID, path: str, epoch: int | None = None) -> Artifact | None:
    """The artifact of this path that the last attempt has sent which has one, or that attempt."""
    rows = Artifact.objects.filter(task=task_id, path=path)
    return (rows if epoch is None else rows.filter(epoch=epoch)).order_by("-epoch").first()


def lost_epochs(task_id: UUID) -> Collection[int]:
    """The leases of a task that were lost, but for one whose outcome was accepted all the same."""
    lost = Attempt.objects.filter(task=task_id, outcome__in=LOST).values_list("epoch", flat=True)
    closed = Task.objects.filter(pk=task_id).values_list("closed_epoch", flat=True)
    return set(lost) - set(closed)
