"""Chains, new tasks and `why` under /v1 (contract 000-002, 1.3)."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ownership
from accounts.callers import Caller, caller_of
from accounts.permissions import MayAdminister
from accounts.timezones import of_reader
from agents.ownership import check_work, refuse_other_agent, speaks_for
from api import fields
from api.body import JsonValue
from api.serializers import Values
from api.traces import traceparent_of
from api.viewsets import ListViewSet
from chains import resets, schema, sessions, transitions
from chains.answers import ChainSerializer, RetiredSerializer, WhyReasonSerializer
from chains.exceptions import ChainUnknown, NoChain
from chains.filters import ChainFilters
from chains.models import Chain, OnFailure
from chains.serializers import (
    MOST_TASKS,
    ChainEditRequestSerializer,
    ChainRequestSerializer,
    OwnerRequestSerializer,
    RetireRequestSerializer,
    SessionRequestSerializer,
    TaskRequestSerializer,
)
from chains.verbs import CHAIN_VERBS
from chains.why import why
from console.audited import Audited
from problems import Invalid
from tasks import agent_views, requirements, views
from tasks.answers import TaskSerializer
from tasks.exceptions import ChannelUnknown
from tasks.models import Channel, Requirement, Task


@schema.chains
class ChainViewSet(Audited, ListViewSet[Chain]):
    """Chains, the oldest first."""

    audited_as, audited_model = CHAIN_VERBS[0], Chain
    audited_unlocked = frozenset({"assign_agent"})

    queryset = Chain.objects.all()
    serializer_class = ChainSerializer
    filterset_class = ChainFilters
    owner = "user"
    users_may = frozenset({"create"})
    unknown = ChainUnknown
    list_key = "chains"
    lookup_url_kwarg = "chain_id"
    lookup_value_converter = "uuid"

    def check_object_permissions(self, request: Request, obj: Chain) -> None:
        """A user's agent may let go of its chain, whosever that is."""
        theirs = (
            self.action == "detach"
            and obj.owner_id
            and speaks_for(obj.owner_id, caller_of(request))
        )
        if not theirs:
            super().check_object_permissions(request, obj)

    def create(self, request: Request) -> Response:
        """Create a chain in a channel."""
        values = ChainRequestSerializer.read(request.data)
        caller = caller_of(request)
        chain = transitions.open_chain(
            channel_of(values["channel_id"], caller),
            values["name"],
            description=values["description"],
            on_failure=OnFailure(values["on_failure"]),
            user_id=caller.user_id,
            by=caller.name,
        )
        return Response({"chain": ChainSerializer(chain).data}, 201)

    def retrieve(self, request: Request, chain_id: UUID) -> Response:
        """Show a chain."""
        return Response({"chain": ChainSerializer(self.get_object()).data})

    def update(self, request: Request, chain_id: UUID) -> Response:
        """Change a chain; empty fields and its owner stay as they are."""
        changes = ChainEditRequestSerializer.read(request.data)
        chain = transitions.edit(chain_id, changes, by=caller_of(request).name)
        return Response({"chain": ChainSerializer(chain).data})

    def destroy(self, request: Request, chain_id: UUID) -> Response:
        """Delete a chain and its tasks, unless one of them is in progress or locked."""
        transitions.delete(chain_id, by=caller_of(request).name)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def detach(self, request: Request, chain_id: UUID) -> Response:
        """End the ownership of a chain; a task of it in progress becomes locked."""
        owner = OwnerRequestSerializer.read(request.data)["agent_id"]
        transitions.detach(chain_id, owner_id=owner, by=caller_of(request).name)
        return Response({"ok": True})

    @action(detail=True, methods=["post"], url_path="assign-agent")
    def assign_agent(self, request: Request, chain_id: UUID) -> Response:
        """Make an agent the owner of a chain; the one before is released."""
        agent_id = OwnerRequestSerializer.read(request.data)["agent_id"]
        caller = caller_of(request)
        refuse_other_agent(agent_id, caller)
        chain = transitions.assign_agent(chain_id, agent_id, by=caller.name)
        return Response({"chain": ChainSerializer(chain).data})


@schema.agents
class AgentViewSet(agent_views.AgentViewSet):
    """Agents, with the chains that they own."""

    audited_unlocked = frozenset({"retire"})
    users_may = agent_views.AgentViewSet.users_may | {"request_session", "retrieve_request_session"}

    @action(detail=False, methods=["post"], url_path="request-session")
    def request_session(self, request: Request) -> Response:
        """Request a session: a task in a chain of its own, to be assigned to an agent."""
        values = SessionRequestSerializer.read(request.data)
        by_id, name = values["channel_id"], values["channel_name"]
        caller = caller_of(request)
        channel = (
            channel_of(fields.identifier(by_id), caller) if by_id else channel_named(name, caller)
        )
        task = sessions.request_session(channel, user_id=caller.user_id, by=caller.name)
        return Response({"task": TaskSerializer(task).data}, 201)

    @schema.agent_of_a_word
    @request_session.mapping.get
    def retrieve_request_session(self, request: Request) -> Response:
        """Show the agent whose id is `request-session`."""
        return self.retrieve_named("request-session")

    @action(detail=True)
    def chain(self, request: Request, agent_id: str) -> Response:
        """Show the chain that an agent owns."""
        agent = self.get_object()
        chain = Chain.objects.owned_by(agent.pk).first()
        if chain is None:
            raise NoChain(f"Agent {agent_id!r} owns no chain.")
        check_work(chain.user_id, agent, caller_of(request))
        return Response({"chain": ChainSerializer(chain).data})

    @action(
        detail=True, methods=["post"], body_is_optional=True, permission_classes=[MayAdminister]
    )
    def retire(self, request: Request, agent_id: str) -> Response:
        """Drain an agent and take back what it has; with `remove` it is forgotten too."""
        values = RetireRequestSerializer.read(request.data)
        retire = resets.remove_agent if values["remove"] else resets.retire_agent
        taken = retire(agent_id, by=caller_of(request).name, reason=values["reason"])
        whose = {"agent_id": agent_id, "removed": values["remove"]}
        return Response(whose | RetiredSerializer(taken).data)


@schema.tasks
class TaskViewSet(views.TaskViewSet):
    """Tasks, alone and of chains."""

    def create(self, request: Request) -> Response:
        """Create one task, or a list of up to 1,000, all or none.

        Where all their keys are known, the answer is 200 and has the first tasks.
        """
        many = isinstance(request.data, list)
        caller = caller_of(request)
        new = new_tasks(requested(request.data), caller, traceparent_of(request))
        tasks = enqueued(new, caller)
        created = {task.pk for task in new} & {task.pk for task in tasks}
        shown = [TaskSerializer.shown(task) for task in tasks]
        return Response({"tasks": shown} if many else {"task": shown[0]}, 201 if created else 200)

    @action(detail=True)
    def why(self, request: Request, task_id: UUID) -> Response:
        """Say why a task does not run: all reasons, in the order in which to remove them.

        `text` and `remedy` are in the language of `Accept-Language`; programs look at `code`.
        Times in them are in the zone that a browser has chosen, else in UTC.
        """
        task = self.get_object()
        with of_reader(request):
            found = why(task)
        reasons = [WhyReasonSerializer.shown(reason) for reason in found]
        return Response({"task_id": task.pk, "status": task.status, "why": reasons})


def requested(data: JsonValue) -> list[Values]:
    """The task or the tasks that a body asks for."""
    if not isinstance(data, list):
        return [TaskRequestSerializer.read(data)]
    if not data:
        raise Invalid("The list must contain a task.")
    return TaskRequestSerializer.read_many(data, most=MOST_TASKS)


def enqueued(new: Sequence[Task], caller: Caller) -> list[Task]:
    """Store the tasks, or none where one has a key that another user has used in the channel."""
    with transaction.atomic():
        tasks = transitions.enqueue(new, by=caller.name)
        for task in tasks:
            ownership.check(task.user_id, caller)
    return tasks


def new_tasks(requested: Sequence[Values], caller: Caller, trace: str) -> list[Task]:
    """The requested tasks, not stored yet; of this trace, unless they name another.

    Raises ChannelUnknown, or NotYours.
    """
    ids = {fields.identifier(values["channel_id"]) for values in requested if values["channel_id"]}
    names = {values["channel"] for values in requested if not values["channel_id"]}
    channels = Channel.objects.in_bulk(ids)
    named = Channel.objects.by_name(names)
    needs = requirements.of_each((values["wants"], values["requires"]) for values in requested)
    tasks = []
    for values, need in zip(requested, needs, strict=True):
        by_id, name = values["channel_id"], values["channel"]
        channel = channels.get(fields.identifier(by_id)) if by_id else named.get(name)
        if channel is None:
            raise ChannelUnknown(f"There is no channel {by_id}.") if by_id else _no_channel(name)
        ownership.check(channel.user_id, caller)
        task = new_task(values, channel, need, channel.user_id or caller.user_id)
        task.trace = task.trace or trace
        tasks.append(task)
    chains = Chain.objects.filter(pk__in={task.chain_id for task in tasks if task.chain_id})
    ownership.check_each(chains, caller)
    return tasks


def new_task(
    values: Values, channel: Channel, requirement: Requirement | None, user_id: UUID | None
) -> Task:
    return Task(
        user_id=user_id,
        channel=channel,
        chain_id=fields.identifier(values["chain_id"]) if values["chain_id"] else None,
        sequence=max(values["sequence"], 0),
        title=values["title"],
        description=values["description"],
        payload=values["payload"],
        priority=values["priority"],
        execution_mode=values["execution_mode"],
        max_attempts=values["max_attempts"] or settings.MAX_ATTEMPTS,
        retry_delay_seconds=values["retry_delay_seconds"],
        requirement=requirement,
        idempotency_key=values["idempotency_key"],
        trace=values["trace"],
    )


def channel_of(channel_id: UUID, caller: Caller) -> Channel:
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise ChannelUnknown
    ownership.check(channel.user_id, caller)
    return channel


def channel_named(name: str, caller: Caller) -> Channel:
    channel = Channel.objects.named([name]).first()
    if channel is None:
        raise _no_channel(name)
    ownership.check(channel.user_id, caller)
    return channel


def _no_channel(name: str) -> ChannelUnknown:
    return ChannelUnknown(f"There is no channel named {name!r}.", code="channel_not_found")
