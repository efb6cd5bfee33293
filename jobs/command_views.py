"""What runners report about commands, and the queues (seed 001; docs/commands.md)."""

from typing import ClassVar
from uuid import UUID

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ownership
from accounts.callers import caller_of
from accounts.permissions import AsAgent
from api.viewsets import ApiViewSet
from jobs import command_transitions, queues, schema
from jobs.command_answers import CommandSerializer, QueueSerializer
from jobs.command_forms import ExitRequestSerializer
from jobs.commands import ExitStatus
from tasks.models import Channel
from tasks.views import AuditedTasks


@schema.command_tasks
class CommandTaskViewSet(AuditedTasks):
    """The task of a command, for its runner."""

    audited_unlocked = frozenset({"exit"})
    made = {}

    lookup_url_kwarg = "task_id"
    lookup_value_converter = "uuid"
    agents_may: ClassVar[dict[str, AsAgent]] = {"exit": AsAgent()}
    leases_may: ClassVar[frozenset[str]] = frozenset({"exit"})

    @action(detail=True, methods=["post"], throttle_scope="report")
    def exit(self, request: Request, task_id: UUID) -> Response:
        """Report how a command ended; the same report again changes nothing."""
        values = ExitRequestSerializer.read(request.data)
        command = command_transitions.exit_(
            task_id,
            ExitStatus(values["status"]),
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            exit_code=values["exit_code"],
            error=values["error"],
            commit_sha=values["commit_sha"],
        )
        return Response({"job": CommandSerializer(command).data})


@schema.queues
class QueueViewSet(ApiViewSet):
    """Queues, by name."""

    users_may = frozenset({"list"})

    def list(self, request: Request) -> Response:
        """Show what waits and runs in each queue, and how many runners it would keep busy now."""
        channels = ownership.visible(Channel.objects.all(), caller_of(request))
        first = list(channels.order_by("name")[: queues.MOST])
        return Response({"queues": [QueueSerializer.shown(one) for one in queues.states(first)]})
