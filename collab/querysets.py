"""Questions about Collab jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from collab.states import MATCHING, JobStatus
from tasks.querysets import TaskQuerySet
from tasks.states import Status

if TYPE_CHECKING:
    from collab.models import DeadLetter  # noqa: F401  (named in a string below)


class CollabJobQuerySet(TaskQuerySet):
    def of_collab(self) -> Self:
        """Tasks of no sweep and no command."""
        return self.filter(job=None)

    def shown(self) -> Self:
        """Collab jobs with what an answer shows of them."""
        return self.of_collab().select_related("channel", "collab_key", "collab_letter")

    def with_lease_over(self) -> Self:
        """Annotate each job with whether its lease has run out."""
        over = ExpressionWrapper(Q(lease_expires_at__lte=Now()), BooleanField())
        return self.annotate(lease_over=over)

    def of_status(self, status: JobStatus) -> Self:
        return self.filter(MATCHING[status])


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def waiting(self) -> Self:
        """Those of jobs that have not been given another try where they are."""
        return self.filter(task__status=Status.FAILED)
