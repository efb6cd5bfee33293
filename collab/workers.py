"""Workers: agents that say for which executor they work, and what they do."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Activity, Agent, Protocol
from api import sizes
from api.serializers import Values
from collab.serializers import WorkerStatus

ACTIVE_WITHIN = timedelta(seconds=20)
MOST = 500
ACTIVITIES: Mapping[str, Activity] = {
    WorkerStatus.IDLE: Activity.IDLE,
    WorkerStatus.BUSY: Activity.RUNNING,
    WorkerStatus.ERROR: Activity.WAITING,
}


class Worker:
    """An agent in the words of seed 003. What it has not said follows from what is known."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        said: Any = agent.meta.get("collab")
        self.said: Mapping[str, Any] = said if isinstance(said, dict) else {}

    @property
    def executor_id(self) -> str | None:
        return self.said.get("executor_id") or next(iter(self.agent.subscriptions), None)

    @property
    def status(self) -> str:
        alike = (word for word, activity in ACTIVITIES.items() if activity == self.agent.activity)
        return self.said.get("status") or next(alike)

    @property
    def version(self) -> str | None:
        return self.said.get("version") or None

    @property
    def running(self) -> int | None:
        return self.said.get("running")


def beat(values: Values) -> Agent:
    """A worker's heartbeat: it is registered, or renewed, and its data stored."""
    said = {
        "executor_id": values["executorId"],
        "status": values["status"],
        "running": values["running"],
        "version": values["version"],
    }
    return agents.beat(
        agents.Beat(
            values["agentId"],
            activity=ACTIVITIES[values["status"]],
            meta={"collab": said, "subscriptions": [values["executorId"]]},
            capacity=values["capacity"],
        )
    )


def active(rows: QuerySet[Agent]) -> list[Worker]:
    """Those of these agents that were seen lately, the last seen first, no more than MOST."""
    seen = rows.filter(protocol=Protocol.PLAIN, last_seen_at__gt=Now() - ACTIVE_WITHIN)
    return [Worker(agent) for agent in sizes.first(seen.order_by("-last_seen_at", "pk"), MOST)]
