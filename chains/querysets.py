"""Every question asked about chains has a name here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from agents.models import Agent
from tasks.models import Task
from tasks.querysets import TaskQuerySet

if TYPE_CHECKING:
    from chains.models import Chain  # noqa: F401  (named in a string below)


class ChainQuerySet(models.QuerySet["Chain"]):
    def owned_by(self, agent_id: str) -> Self:
        return self.filter(owner=agent_id)

    def of_lost_agents(self) -> Self:
        """Chains whose owner has been silent for so long that they are detached."""
        return self.filter(owner__in=Agent.objects.lost())

    def expired(self) -> Self:
        """Chains with a task whose lease has run out."""
        return self.filter(
            pk__in=Task.objects.expired().filter(chain__isnull=False).values("chain")
        )

    def with_progress(self) -> Self:
        """Annotate each chain with `all_tasks` and `finished_tasks`."""
        tasks = Task.objects.filter(chain=OuterRef("pk"))
        return self.annotate(all_tasks=_count(tasks), finished_tasks=_count(tasks.finished()))

    def lock(self, *, skip_locked: bool = False) -> Self:
        """The rows, locked in the order of their ids until the transaction ends."""
        return self.order_by("id").select_for_update(no_key=True, skip_locked=skip_locked)


def _count(tasks: TaskQuerySet) -> Coalesce:
    counted = tasks.order_by().values("chain").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)
