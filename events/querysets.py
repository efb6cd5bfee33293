"""Named queries for events and operator actions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from events.models import Event, OperatorAction  # noqa: F401  (named in strings below)


class EventQuerySet(models.QuerySet["Event"]):
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


class OperatorActionQuerySet(models.QuerySet["OperatorAction"]):
    def about(self, kind: str, object_id: object) -> Self:
        """What people did to one object, latest first."""
        return self.filter(kind=kind, object_id=str(object_id))
