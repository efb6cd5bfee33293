"""Who of the watched workers is present, read for all of them by one query."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from agents.models import Agent
from api.body import dumps
from collab import envelope
from collab.happenings import Told
from collab.serializers import WorkerStatus
from collab.workers import Worker
from tasks.models import Task

EVERY = 5.0  # seconds; seed 003 asks for every five to ten
METRICS = "worker.metrics"
OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Presence:
    """A worker as it is now, in seed 003's words; `held`: the jobs and tasks that it holds."""

    agent_id: str
    executor_id: str | None
    status: str
    version: str | None
    last_seen_at: datetime
    running: int
    capacity: int | None
    held: int

    @property
    def shown(self) -> dict[str, object]:
        return {
            "agentId": self.agent_id,
            "executorId": self.executor_id,
            "status": self.status,
            "version": self.version,
            "lastSeenAt": self.last_seen_at,
            "running": self.running,
            "capacity": self.capacity,
            "held": self.held,
        }

    @property
    def told(self) -> Told:
        return Told("presence", _text(self.shown))

    @property
    def metrics(self) -> Told:
        """What its last heartbeat said, as a broadcast that is not kept anywhere."""
        load = {name: self.shown[name] for name in ("agentId", "running", "capacity", "held")}
        wrapped = envelope.wrapped(
            METRICS,
            uuid4(),
            self.last_seen_at,
            {**load, "ts": self.last_seen_at},
            correlation_id=self.agent_id,
            actor={"agent": self.agent_id, "role": "worker"},
        )
        return Told("event", _text(wrapped))


def read(agent_ids: Collection[str]) -> Mapping[str, Presence]:
    """The presence of these agents; without those that are unknown."""
    held = Task.objects.in_progress().filter(agent=OuterRef("pk")).order_by().values("agent")
    counted = Subquery(held.values(n=Count("pk")), output_field=IntegerField())
    rows = Agent.objects.with_online().filter(pk__in=agent_ids)
    rows = rows.annotate(holds=Coalesce(counted, 0))
    return {agent.pk: _presence(agent) for agent in rows}


def _presence(agent: Any) -> Presence:
    worker = Worker(agent)
    return Presence(
        agent_id=agent.pk,
        executor_id=worker.executor_id,
        status=_status(agent, worker),
        version=worker.version,
        last_seen_at=agent.last_seen_at,
        running=agent.holds if worker.running is None else worker.running,
        capacity=agent.capacity,
        held=agent.holds,
    )


def _status(agent: Any, worker: Worker) -> str:
    """Offline where it is silent; busy while it holds something, whatever it said before that."""
    if not agent.online:
        return OFFLINE
    if agent.holds and worker.status == WorkerStatus.IDLE:
        return WorkerStatus.BUSY
    return worker.status


def _text(value: object) -> str:
    return dumps(value, orjson.OPT_UTC_Z).decode()
