"""The verbs of agents under /v1, as far as they speak of tasks (contract 000-002, 1.3, 3.8)."""

from collections.abc import Sequence
from uuid import uuid4

from django.db import transaction
from django.db.models import Q
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller, caller_of
from accounts.ownership import is_limited, owned
from accounts.permissions import AsAgent
from accounts.rights import SAFE_METHODS
from agents import transitions as agents
from agents.answers import AgentSerializer, ListedAgentSerializer, NotificationSerializer
from agents.exceptions import AgentUnknown
from agents.models import Agent, Notification
from agents.ownership import check_work, refuse_another, refuse_other_agent, speak_for
from agents.transitions import Beat
from agents.verbs import AGENT_VERBS
from api.answers import Body, filled
from api.names import spelled
from api.serializers import Values
from api.viewsets import ListViewSet
from console.audited import Audited
from problems import Invalid
from tasks import leases, releases, schema
from tasks.answers import TaskSerializer
from tasks.exceptions import NoCurrentTask
from tasks.filters import AgentFilters
from tasks.models import Task
from tasks.serializers import (
    DismissRequestSerializer,
    HeartbeatRequestSerializer,
    ReasonRequestSerializer,
    SubscriptionsRequestSerializer,
    refusal,
)


@schema.agents
class AgentViewSet(Audited, ListViewSet[Agent]):
    """Agents; what is said of their chains stands in `chains`."""

    audited_as, audited_model = AGENT_VERBS[0], Agent
    not_audited = frozenset({"heartbeat"})

    queryset = Agent.objects.with_online()
    serializer_class = ListedAgentSerializer
    filterset_class = AgentFilters
    owner = "user"
    users_may = frozenset({"retrieve_heartbeat"})
    unknown = AgentUnknown
    list_key = "agents"
    ordering = ("-last_seen_at", "id")
    lookup_url_kwarg = "agent_id"
    lookup_value_converter = "name"
    agents_may = {"heartbeat": AsAgent(may_be_new=True)}

    def audited_key(self, text: str) -> str:
        return spelled(text)

    def completed(self, rows: list[Agent]) -> Sequence[Agent]:
        return with_current_tasks(rows, caller_of(self.request))

    def check_object_permissions(self, request: Request, obj: Agent) -> None:
        """Users see agents that are nobody's too, but steer only their own."""
        super().check_object_permissions(request, obj)
        if request.method not in SAFE_METHODS:
            refuse_another(obj, caller_of(request))

    def retrieve(self, request: Request, agent_id: str) -> Response:
        """Show an agent and its current task."""
        return shown(self.get_object(), caller_of(request))

    def retrieve_named(self, agent_id: str) -> Response:
        """The agent whose id is also a word of a path, which means something else for a POST."""
        self.kwargs = {"agent_id": agent_id}
        return shown(self.get_object(), caller_of(self.request))

    @action(detail=False, methods=["post"], throttle_scope="heartbeat")
    def heartbeat(self, request: Request) -> Response:
        """Register or renew an agent and the tasks it lists, and say what it should know.

        The current task that a client reports is not looked at: it follows from the tasks. Data
        that are wrong are named, an unknown status is refused; a known agent is present all the
        same.
        """
        values = HeartbeatRequestSerializer.read(request.data)
        values["agent_id"] = values["agent_id"] or str(uuid4())
        speak_for(values["agent_id"], caller_of(request))
        agent, news = beat(values)
        return Response({"agent": body_of(agent, caller_of(request)), **news})

    @schema.agent_of_a_word
    @heartbeat.mapping.get
    def retrieve_heartbeat(self, request: Request) -> Response:
        """Show the agent whose id is `heartbeat`."""
        return self.retrieve_named("heartbeat")

    @action(detail=True, url_path="current-task")
    def current_task(self, request: Request, agent_id: str) -> Response:
        """Show the task in progress that an agent claimed last."""
        agent = self.get_object()
        task = Task.objects.current_of([agent.pk]).first()
        if task is None:
            raise NoCurrentTask(f"Agent {agent_id!r} has no task in progress.")
        check_work(task.user_id, agent, caller_of(request))
        return Response({"task": TaskSerializer(task).data})

    @action(detail=True, methods=["patch"])
    def channels(self, request: Request, agent_id: str) -> Response:
        """Subscribe an agent to channels, as an operator does."""
        names = SubscriptionsRequestSerializer.read(request.data)["subscriptions"]
        caller = caller_of(request)
        return shown(agents.subscribe(agent_id, names, by=caller.name), caller)

    @action(detail=True, methods=["post"], body_is_optional=True)
    def drain(self, request: Request, agent_id: str) -> Response:
        """Drain an agent: it keeps its tasks, and gets no more."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        caller = caller_of(request)
        return shown(agents.drain(agent_id, by=caller.name, reason=reason), caller)

    @action(detail=True, methods=["post"], body_is_optional=True)
    def resume(self, request: Request, agent_id: str) -> Response:
        """Let a draining agent have tasks again."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        caller = caller_of(request)
        return shown(agents.resume(agent_id, by=caller.name, reason=reason), caller)


@schema.notifications
class NotificationViewSet(Audited, ListViewSet[Notification]):
    """Agents that wait for a person, the longest first."""

    audited_as, audited_model = AGENT_VERBS[0], Agent
    audited_fields = {"dismiss": "agent_id"}

    queryset = Notification.objects.shown()
    serializer_class = NotificationSerializer
    owner = "agent__user"
    users_may = frozenset({"dismiss"})
    list_key = "notifications"

    def audited_key(self, text: str) -> str:
        return spelled(text)

    @action(detail=False, methods=["post"])
    def dismiss(self, request: Request) -> Response:
        """Hide a notification until the agent waits anew."""
        values = DismissRequestSerializer.read(request.data)
        refuse_other_agent(values["agent_id"], caller_of(request))
        agents.dismiss(values["agent_id"], values["type"])
        return Response({"ok": True})


def beat(values: Values) -> tuple[Agent, dict[str, object]]:
    """Take a heartbeat; the agent as it now is, and what it should know."""
    beat = Beat(
        agent_id=values["agent_id"],
        name=values["name"],
        activity=values["claude_status"] or values["status"],
        meta=values["meta"],
        offers=values["capabilities"],
        capacity=values["capacity"],
    )
    releases.recognize(beat.agent_id, values["incarnation"])
    listed, waiting = values["listed"], values["waiting"]
    if wrong := refusal(values, HeartbeatRequestSerializer.refusing):
        leases.hear(beat.agent_id, listed, waiting=waiting)
        raise Invalid(wrong)
    with transaction.atomic():
        agent = agents.beat(beat)
        renewed = leases.renew_listed(agent.pk, listed, waiting=waiting)
        unlisted = leases.unlisted(agent.pk, listed) if values["tasks"] is not None else []
    held = Task.objects.held_by(agent.pk)
    return agent, {
        "renewed": sorted(renewed),
        "lost": [*sorted(set(listed) - renewed), *values["unknown"]],
        "cancel_asked": list(held.cancel_asked().values_list("pk", flat=True)),
        "drain": agent.draining,
        **filled(unlisted=unlisted, ignored=values["ignored"]),
    }


def shown(agent: Agent, caller: Caller) -> Response:
    return Response({"agent": body_of(agent, caller)})


def body_of(agent: Agent, caller: Caller) -> Body:
    """One agent as it is shown; `worker_status` is in lists only."""
    return AgentSerializer.shown(*with_current_tasks([agent], caller))


def with_current_tasks(rows: Sequence[Agent], caller: Caller | None = None) -> Sequence[Agent]:
    """Agents that know their current task: that of their tasks which they claimed last.

    Of agents of nobody a user who calls sees it as far as it is no other user's.
    """
    current = Task.objects.current_of([row.pk for row in rows])
    if caller is not None and is_limited(caller):
        current = current.filter(Q(agent__user=caller.user_id) | owned(caller))
    by_agent = dict(current.values_list("agent", "pk"))
    for row in rows:
        row.current_task_id = by_agent.get(row.pk)
    return rows
