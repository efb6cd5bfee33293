"""The lead of the maintenance loop, and its pass status, so that every process can show them."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Coalesce, Greatest, Now
from django.db.models.lookups import LessThan

SPARE = timedelta(seconds=60)
"""A pass is late when it is overdue by three intervals plus this."""


class PassRecordQuerySet(models.QuerySet["PassRecord"]):
    def with_late(self) -> Self:
        """Annotate each pass with `late`: not done for so long that the loop must be stuck.

        Counted from the start of the present leader at the earliest.
        """
        last = Greatest(Coalesce("last_success_at", "led_since"), "led_since")
        patience = ExpressionWrapper(F("every") * 3 + SPARE, models.DurationField())
        return self.annotate(
            late=ExpressionWrapper(LessThan(last + patience, Now()), models.BooleanField())
        )


class PassRecord(models.Model):
    """A pass of the maintenance loop and its status, written by the leader."""

    name = models.CharField(primary_key=True, max_length=64)
    every = models.DurationField()
    led_since = models.DateTimeField(db_default=Now(), help_text="When the present leader began.")
    last_success_at = models.DateTimeField(null=True, blank=True)
    milliseconds = models.FloatField(default=0, help_text="How long it took then.")
    done = models.PositiveBigIntegerField(default=0, help_text="How much it did then.")
    failures = models.PositiveIntegerField(default=0, help_text="In a row, since then.")
    problem = models.TextField(blank=True, default="", help_text="What went wrong last.")

    objects = PassRecordQuerySet.as_manager()

    late: bool  # set by `with_late`

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class LeaderLease(models.Model):
    """The lease of the process that leads, in one row; see `coordinator_project.leadership`."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    term = models.BigIntegerField(help_text="The number of leaders so far.")
    led_since = models.DateTimeField()
    expires_at = models.DateTimeField()
    pid = models.IntegerField(help_text="The leader's session; when it ends, so does the lease.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="leader_lease_is_one_row")]

    def __str__(self) -> str:
        return f"term {self.term}"
