"""Chains, new tasks and `why` under /v1 (contract 000-002, 1.3)."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from accounts.permissions import ADMINISTER
from api import fields
from api.serializers import Values
from api.views import JsonView, ListView, reply
from chains import bodies, resets, sessions, transitions
from chains.exceptions import ChainUnknown, NoChain
from chains.filters import ChainFilters
from chains.models import Chain, OnFailure
from chains.serializers import (
    ChainEditRequestSerializer,
    ChainRequestSerializer,
    OwnerRequestSerializer,
    RetireRequestSerializer,
    SessionRequestSerializer,
    TaskRequestSerializer,
)
from chains.why import why
from console.exceptions import VerbNotAllowed
from problems import Invalid
from tasks import bodies as task_bodies
from tasks import requirements
from tasks.agent_views import known
from tasks.exceptions import ChannelUnknown, TaskUnknown
from tasks.models import Channel, Requirement, Task
from tasks.views import TaskListView

MOST_TASKS = 1000


class ChainsView(ListView[Chain]):
    key = "chains"
    queryset = Chain.objects.all()
    filterset_class = ChainFilters

    def body(self, row: Chain) -> dict[str, object]:
        return bodies.chain(row)

    def post(self, request: Request) -> HttpResponse:
        values = self.read(ChainRequestSerializer)
        chain = transitions.open_chain(
            channel_of(values["channel_id"]),
            values["name"],
            description=values["description"],
            on_failure=OnFailure(values["on_failure"]),
            by=caller_of(request).name,
        )
        return reply({"chain": bodies.chain(chain)}, 201)


class ChainView(JsonView):
    def get(self, request: Request, chain_id: UUID) -> HttpResponse:
        chain = Chain.objects.filter(pk=chain_id).first()
        if chain is None:
            raise ChainUnknown(f"There is no chain {chain_id}.")
        return reply({"chain": bodies.chain(chain)})

    def put(self, request: Request, chain_id: UUID) -> HttpResponse:
        changes = self.read(ChainEditRequestSerializer)
        chain = transitions.edit(chain_id, changes, by=caller_of(request).name)
        return reply({"chain": bodies.chain(chain)})

    def delete(self, request: Request, chain_id: UUID) -> HttpResponse:
        transitions.delete(chain_id, by=caller_of(request).name)
        return HttpResponse(status=204)


class DetachView(JsonView):
    def post(self, request: Request, chain_id: UUID) -> HttpResponse:
        owner = self.read(OwnerRequestSerializer)["agent_id"]
        transitions.detach(chain_id, owner_id=owner, by=caller_of(request).name)
        return reply({"ok": True})


class AssignAgentView(JsonView):
    def post(self, request: Request, chain_id: UUID) -> HttpResponse:
        agent_id = self.read(OwnerRequestSerializer)["agent_id"]
        chain = transitions.assign_agent(chain_id, agent_id, by=caller_of(request).name)
        return reply({"chain": bodies.chain(chain)})


class AgentChainView(JsonView):
    """The chain that an agent owns (seed 002)."""

    def get(self, request: Request, agent_id: str) -> HttpResponse:
        chain = Chain.objects.owned_by(known(agent_id).pk).first()
        if chain is None:
            raise NoChain(f"Agent {agent_id!r} owns no chain.")
        return reply({"chain": bodies.chain(chain)})


class RetireView(JsonView):
    """Drains an agent and takes back what it has; with `remove` it is forgotten too."""

    def post(self, request: Request, agent_id: str) -> HttpResponse:
        values = self.read_optional(RetireRequestSerializer)
        caller = caller_of(request)
        if not caller.may(ADMINISTER):
            raise VerbNotAllowed(f"{caller.name} may not retire: {ADMINISTER} is missing.")
        retire = resets.remove_agent if values["remove"] else resets.retire_agent
        taken = retire(agent_id, by=caller.name, reason=values["reason"])
        return reply(bodies.retired(agent_id, taken, removed=values["remove"]))


class TasksView(TaskListView):
    """Creates one task, or a list of up to 1,000, all or none."""

    def post(self, request: Request) -> HttpResponse:
        data = self.json()
        many = isinstance(data, list)
        values = (
            TaskRequestSerializer.read_many(data, most=MOST_TASKS)
            if many
            else [TaskRequestSerializer.read(data)]
        )
        if not values:
            raise Invalid("The list must contain a task.")
        new = new_tasks(values)
        tasks = transitions.enqueue(new, by=caller_of(request).name)
        created = {task.pk for task in new} & {task.pk for task in tasks}
        shown = [task_bodies.task(task) for task in tasks]
        return reply({"tasks": shown} if many else {"task": shown[0]}, 201 if created else 200)


class WhyView(JsonView):
    def get(self, request: Request, task_id: UUID) -> HttpResponse:
        task = Task.objects.select_related("channel", "requirement").filter(pk=task_id).first()
        if task is None:
            raise TaskUnknown(f"There is no task {task_id}.")
        reasons = [bodies.why_reason(reason) for reason in why(task)]
        return reply({"task_id": task.pk, "status": task.status, "why": reasons})


class RequestSessionView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(SessionRequestSerializer)
        channel = (
            channel_of(fields.identifier(values["channel_id"]))
            if values["channel_id"]
            else channel_named(values["channel_name"])
        )
        task = sessions.request_session(channel, by=caller_of(request).name)
        return reply({"task": task_bodies.task(task)}, 201)


def new_tasks(requested: Sequence[Values]) -> list[Task]:
    """The requested tasks, not stored yet. Raises ChannelUnknown."""
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
        tasks.append(new_task(values, channel, need))
    return tasks


def new_task(values: Values, channel: Channel, requirement: Requirement | None) -> Task:
    return Task(
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
    )


def channel_of(channel_id: UUID) -> Channel:
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise ChannelUnknown
    return channel


def channel_named(name: str) -> Channel:
    channel = Channel.objects.named([name]).first()
    if channel is None:
        raise _no_channel(name)
    return channel


def _no_channel(name: str) -> ChannelUnknown:
    return ChannelUnknown(f"There is no channel named {name!r}.", code="channel_not_found")
