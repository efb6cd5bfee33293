"""Removal of the logs and files of tasks that ended long ago; the tasks stay."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from artifacts.models import Artifact, LogBatch
from tasks.states import FINISHED

BATCH = 1_000


def enforce() -> int:
    """Delete what is older than LOG_RETENTION and ARTIFACT_RETENTION; returns how many rows.

    Zero keeps it as long as its task. The objects follow (`removals`).
    """
    return _delete(LogBatch, settings.LOG_RETENTION) + _delete(
        Artifact, settings.ARTIFACT_RETENTION
    )


def _delete(kind: type[LogBatch] | type[Artifact], age: timedelta) -> int:
    """In batches by the primary key, each a transaction; every row is looked at once."""
    if not age:
        return 0
    deleted, last = 0, 0
    rows: models.QuerySet = kind._default_manager.all()
    while True:
        looked = list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not looked:
            return deleted
        old = rows.filter(
            pk__in=looked, task__status__in=FINISHED, task__finished_at__lt=Now() - age
        )
        deleted += rows.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[0]
        last = looked[-1]
