"""Named queries for jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, F, Func, Max, Min, Q, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce, JSONObject

if TYPE_CHECKING:
    from jobs.models import Job  # noqa: F401  (named in a string below)


PROGRAM = ("jarPath", "artifactBucket", "artifactKey", "artifactEndpoint", "mainClass")


class JobQuerySet(models.QuerySet["Job"]):
    def counted(self) -> Self:
        """Annotate `counted_*`: exact counters, status and times.

        They are the job's own plus those of the tallies that have not been folded.
        """
        return (
            self.annotate(
                counted_total=_with_tallies("total"),
                counted_completed=_with_tallies("completed"),
                counted_failed=_with_tallies("failed"),
                counted_cancelled=_with_tallies("cancelled"),
                counted_started_at=Coalesce(
                    "started_at", Min("tallies__at", filter=Q(tallies__started=True))
                ),
            )
            .annotate(
                counted_status=Func(
                    "counted_total",
                    "counted_completed",
                    "counted_failed",
                    "counted_cancelled",
                    models.ExpressionWrapper(
                        Q(counted_started_at__isnull=False), output_field=models.BooleanField()
                    ),
                    models.ExpressionWrapper(
                        Q(cancel_asked_at__isnull=False), output_field=models.BooleanField()
                    ),
                    function="jobs_status",
                    output_field=models.CharField(),
                ),
            )
            .annotate(
                counted_finished_at=Case(
                    When(
                        ~Q(counted_status__in=["PENDING", "RUNNING"]),
                        then=Coalesce(Max("tallies__at"), "finished_at"),
                    )
                ),
            )
        )

    def with_program(self) -> Self:
        """Annotate `program`: what a job runs, without the rest of what was asked for it."""
        named = {name: KeyTransform(name, "specification") for name in PROGRAM}
        return self.defer("specification").annotate(program=JSONObject(**named))

    def open(self) -> Self:
        """Jobs that have not ended, by the stored status, which is indexed."""
        return self.filter(status__in=["PENDING", "RUNNING"])

    def lock(self) -> Self:
        """Lock the rows in the order of their ids until the transaction ends."""
        return self.order_by("id").select_for_update(no_key=True)


def _with_tallies(name: str) -> Combinable:
    return F(name) + Coalesce(Sum(f"tallies__{name}"), 0)
