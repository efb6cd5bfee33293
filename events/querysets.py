"""Named queries for events and operator actions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from events.models import Event, OperatorAction  # noqa: F401  (named in strings below)


M = TypeVar("M", bound=models.Model)

COMMON_TYPES = ("task.created", "task.claimed", "task.completed")
"""Most of the journal: they are among its latest rows, so that no index has them by type."""

NEAR = 1_000  # ids


class InOrderOfTime(models.QuerySet[M]):
    """Rows whose ids grow with `created_at`, as far as transactions are short."""

    def last_before(self, moment: datetime, later: timedelta) -> int:
        """An id up to which all rows are older than that; the first younger is at most NEAR on.

        Found by halving.
        """
        seconds = moment.timestamp() + later.total_seconds()
        ids = self.model._default_manager.order_by("id").values_list("id", "created_at")
        ends = ids.first(), ids.last()
        low, high = (end[0] if end else 0 for end in ends)
        low -= 1
        while high - low > NEAR:
            middle = (low + high) // 2
            found = ids.filter(id__gt=middle).first()
            if found is None or found[1].timestamp() >= seconds:
                high = middle
            else:
                low = found[0]
        return low


class EventQuerySet(InOrderOfTime["Event"]):
    def before(self, moment: datetime) -> Self:
        """Events older than `moment`."""
        return self.filter(created_at__lt=moment)

    def about_agent(self, agent_id: str) -> Self:
        return self.filter(agent_id=agent_id)

    def about_task(self, task_id: object) -> Self:
        return self.filter(task_id=str(task_id))

    def about_job(self, job_id: object) -> Self:
        return self.filter(job_id=str(job_id))

    def about_chain(self, chain_id: object) -> Self:
        return self.filter(chain_id=chain_id)


class OperatorActionQuerySet(InOrderOfTime["OperatorAction"]):
    def about(self, kind: str, object_id: object) -> Self:
        """What people did to one object, latest first."""
        return self.filter(kind=kind, object_id=str(object_id))
