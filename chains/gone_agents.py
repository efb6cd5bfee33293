"""Removal of agents that nobody has heard of for long and that hold, own and wait for nothing."""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from agents import transitions as agents
from agents.models import Agent, Notification
from agents.querysets import AgentQuerySet
from chains.models import Chain
from tasks.models import Task

BATCH = 500
MOST = 10_000
"""So many in one pass, which others wait for."""


def of_nothing(found: AgentQuerySet) -> AgentQuerySet:
    """Those of these agents that hold, own and wait for nothing."""
    held = Task.objects.in_progress().filter(agent=OuterRef("pk"))
    reserved = Task.objects.filter(reserved_for=OuterRef("pk"))
    owned = Chain.objects.filter(owner=OuterRef("pk"))
    calls = Notification.objects.filter(agent=OuterRef("pk"), dismissed_at=None)
    return found.filter(~Exists(held), ~Exists(reserved), ~Exists(owned), ~Exists(calls))


def remove() -> int:
    """Remove agents silent for AGENT_RETENTION; returns how many. Locked ones are left."""
    if not settings.AGENT_RETENTION:
        return 0
    removed, last = 0, ""
    while removed < MOST:
        with transaction.atomic():
            gone = Agent.objects.silent_for(settings.AGENT_RETENTION)
            some = of_nothing(gone.filter(pk__gt=last)).order_by("pk")
            lock = some.select_for_update(skip_locked=True).values_list("pk", flat=True)
            locked = list(lock[:BATCH])
            if not locked:
                break
            last = locked[-1]
            # Looked at again under the lock: one may have been given something meanwhile.
            still = of_nothing(gone.filter(pk__in=locked)).order_by("pk")
            ids = list(still.values_list("pk", flat=True))
            removed += agents.remove(ids, by="coordinator", reason="retention")
    return removed
