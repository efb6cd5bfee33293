"""The verbs of agents under /v1, as far as they speak of tasks (contract 000-002, 1.3, 3.8)."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from agents import bodies as agent_bodies
from agents import transitions as agents
from agents.exceptions import AgentUnknown
from agents.models import Agent, Notification
from agents.transitions import Beat
from api.filters import NoFilters
from api.views import JsonView, ListView, filled, reply
from problems import Invalid
from tasks import bodies, leases, releases
from tasks.exceptions import NoCurrentTask
from tasks.filters import AgentFilters
from tasks.models import Task
from tasks.serializers import (
    DismissRequestSerializer,
    HeartbeatRequestSerializer,
    ReasonRequestSerializer,
    SubscriptionsRequestSerializer,
)


class HeartbeatView(JsonView):
    """Registers or renews an agent and the tasks it lists, and returns what it should know.

    The current task that a client reports is not looked at: it follows from the tasks. Data that
    are wrong are named, an unknown status is refused; a known agent is present all the same.
    """

    def post(self, request: Request) -> HttpResponse:
        values = self.read(HeartbeatRequestSerializer)
        beat = Beat(
            agent_id=values["agent_id"] or str(uuid4()),
            name=values["name"],
            activity=values["claude_status"] or values["status"],
            meta=values["meta"],
            offers=values["capabilities"],
            capacity=values["capacity"],
        )
        releases.recognize(beat.agent_id, values["incarnation"])
        listed, waiting, ignored = values["listed"], values["waiting"], values["ignored"]
        for name in ("claude_status", "status"):
            if name in ignored:
                leases.hear(beat.agent_id, listed, waiting=waiting)
                raise Invalid(ignored[name])
        with transaction.atomic():
            agent = agents.beat(beat)
            renewed = leases.renew_listed(agent.pk, listed, waiting=waiting)
            unlisted = leases.unlisted(agent.pk, listed) if values["tasks"] is not None else []
        held = Task.objects.held_by(agent.pk)
        return reply(
            {
                "agent": one(agent),
                "renewed": sorted(renewed),
                "lost": sorted(set(listed) - renewed),
                "cancel_asked": list(held.cancel_asked().values_list("pk", flat=True)),
                "drain": agent.draining,
                **filled(unlisted=unlisted, ignored=ignored),
            }
        )


class AgentsView(ListView[Agent]):
    key = "agents"
    queryset = Agent.objects.with_online()
    filterset_class = AgentFilters
    ordering = ("-last_seen_at", "id")

    def bodies(self, rows: Sequence[Agent]) -> list[dict[str, object]]:
        return listed(rows)


class AgentView(JsonView):
    def get(self, request: Request, agent_id: str) -> HttpResponse:
        return reply({"agent": one(known(agent_id))})


class CurrentTaskView(JsonView):
    def get(self, request: Request, agent_id: str) -> HttpResponse:
        task = Task.objects.current_of([known(agent_id).pk]).first()
        if task is None:
            raise NoCurrentTask(f"Agent {agent_id!r} has no task in progress.")
        return reply({"task": bodies.task(task)})


class AgentChannelsView(JsonView):
    def patch(self, request: Request, agent_id: str) -> HttpResponse:
        names = self.read(SubscriptionsRequestSerializer)["subscriptions"]
        return reply({"agent": one(agents.subscribe(agent_id, names, by=caller_of(request).name))})


class DrainView(JsonView):
    def post(self, request: Request, agent_id: str) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        agent = agents.drain(agent_id, by=caller_of(request).name, reason=reason)
        return reply({"agent": one(agent)})


class ResumeView(JsonView):
    def post(self, request: Request, agent_id: str) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        agent = agents.resume(agent_id, by=caller_of(request).name, reason=reason)
        return reply({"agent": one(agent)})


class NotificationsView(ListView[Notification]):
    key = "notifications"
    queryset = Notification.objects.shown()
    filterset_class = NoFilters

    def body(self, row: Notification) -> dict[str, object]:
        return agent_bodies.notification(row)


class DismissView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(DismissRequestSerializer)
        agents.dismiss(values["agent_id"], values["type"])
        return reply({"ok": True})


def known(agent_id: str) -> Agent:
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    return agent


def one(agent: Agent) -> dict[str, object]:
    """One agent's body; `worker_status` is in lists only."""
    current = current_tasks([agent.pk])
    return agent_bodies.agent(agent, current_task_id=current.get(agent.pk))


def listed(rows: Sequence[Agent]) -> list[dict[str, object]]:
    """The bodies of agents in a list, with presence; one query for all their current tasks."""
    current = current_tasks([agent.pk for agent in rows])
    return [
        agent_bodies.agent(agent, current_task_id=current.get(agent.pk))
        | {"worker_status": "online" if agent.online else "offline"}
        for agent in rows
    ]


def current_tasks(agent_ids: Iterable[str]) -> dict[str, UUID]:
    """The current task of each agent that has one: that of its tasks which it claimed last."""
    return dict(Task.objects.current_of(agent_ids).values_list("agent", "pk"))
