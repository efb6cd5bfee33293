"""The verbs of tasks and channels under /v1 (contract 000-002, 1.3)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller, CallerKind, caller_of
from accounts.ownership import check_each, is_limited
from accounts.permissions import AsAgent
from agents.ownership import refuse_other_agent, speak_for
from api import marks
from api.answers import Body
from api.fields import NOBODY
from api.serializers import Refused, Values
from api.viewsets import ListViewSet
from console.audited import Audited
from events import audit
from events.audit import Entry
from tasks import (
    claims,
    fast_path,
    inputs,
    leases,
    releases,
    reports,
    schema,
    scope,
    secrets,
    transitions,
)
from tasks.answers import (
    AssignedTaskSerializer,
    ChannelSerializer,
    ClaimedTaskSerializer,
    OutcomeVerdictSerializer,
    TaskDetailsSerializer,
    TaskInputSerializer,
    TaskSerializer,
)
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.exceptions import ChannelUnknown, NoTasks, TaskUnknown, WrongStatus
from tasks.filters import ChannelFilters, TaskFilters
from tasks.models import Channel, Task
from tasks.reports import ReportVerdict, Verdict
from tasks.rows import ClaimRequest, Outcome, TaskRow
from tasks.serializers import (
    AssignRequestSerializer,
    CancelRequestSerializer,
    ChannelRequestSerializer,
    ClaimRequestSerializer,
    CompleteRequestSerializer,
    FailRequestSerializer,
    HolderRequestSerializer,
    InputClaimRequestSerializer,
    InputRequestSerializer,
    ReasonRequestSerializer,
    ReleaseRequestSerializer,
    RenewRequestSerializer,
    ReportRequestSerializer,
    StatusRequestSerializer,
)
from tasks.states import Status
from tasks.verbs import TASK_VERBS


@schema.channels
class ChannelViewSet(Audited, ListViewSet[Channel]):
    """Channels, the oldest first."""

    audited_as, audited_model = CHANNEL_VERBS[0], Channel

    queryset = Channel.objects.all()
    serializer_class = ChannelSerializer
    filterset_class = ChannelFilters
    owner = "user"
    users_may = frozenset({"create", "by_name"})
    list_key = "channels"
    lookup_url_kwarg = "channel_id"
    lookup_value_converter = "uuid"

    def create(self, request: Request) -> Response:
        """Create a channel; names are unique without regard to case.

        That of a user is theirs alone, one that an operator makes is for all.
        """
        caller = caller_of(request)
        user_id = caller.user_id if is_limited(caller, changes=True) else None
        values = ChannelRequestSerializer.read(request.data)
        channel = transitions.open_channel(**values, user_id=user_id, by=caller.name)
        return Response({"channel": ChannelSerializer(channel).data}, 201)

    @action(detail=False, url_path="by-name/<name:name>")
    def by_name(self, request: Request, name: str) -> Response:
        """Show the channel of this name, found without regard to case."""
        channel = Channel.objects.named([name]).first()
        if channel is None:
            raise ChannelUnknown(f"There is no channel named {name!r}.")
        self.check_object_permissions(request, channel)
        return Response({"channel": ChannelSerializer(channel).data})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def pause(self, request: Request, channel_id: UUID) -> Response:
        """Pause a channel: claims get nothing of it. Again, it only changes the reason."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        channel = transitions.pause_channel(channel_id, by=caller_of(request).name, reason=reason)
        return Response({"channel": ChannelSerializer(channel).data})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def resume(self, request: Request, channel_id: UUID) -> Response:
        """End the pause of a channel; waiting claims get its tasks at once."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        channel = transitions.resume_channel(channel_id, by=caller_of(request).name, reason=reason)
        return Response({"channel": ChannelSerializer(channel).data})


class AuditedTasks(Audited):
    """A resource whose changes of tasks by people are in the audit."""

    audited_as, audited_model = TASK_VERBS[0], Task

    def audited_transaction(self) -> AbstractContextManager[object]:
        return fast_path.left_aside()


@schema.tasks
class TaskViewSet(AuditedTasks, ListViewSet[Task]):
    """Tasks; making them is said of chains too, so that part stands in `chains`."""

    audited_fields = {
        **dict.fromkeys(("assign", "complete", "fail", "inputs"), "task_id"),
        "report": "outcomes.task_id",
    }
    audited_unlocked = frozenset({"report", "assign", "complete", "fail", "release"})
    not_audited = frozenset({"renew", "secrets", "claim_input"})

    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    filterset_class = TaskFilters
    owner = "user"
    users_may = frozenset({"create", "assign", "inputs", "claim_input"})
    unknown = TaskUnknown
    list_key = "tasks"
    lookup_url_kwarg = "task_id"
    lookup_value_converter = "uuid"
    agents_may = {
        "claim": AsAgent(beyond=scope.beyond_claim),
        "report": AsAgent(beyond=scope.beyond_report),
        **dict.fromkeys(("complete", "fail", "renew", "release", "secrets"), AsAgent()),
    }
    leases_may: ClassVar[frozenset[str]] = frozenset({"renew", "release", "secrets"})

    def get_queryset(self) -> QuerySet[Task]:
        """One task is shown with what it requires."""
        rows: QuerySet[Task] = super().get_queryset()
        return rows.select_related("channel", "requirement") if self.detail else rows

    def retrieve(self, request: Request, task_id: UUID) -> Response:
        """Show a task with its latest bad attempts, and with what it wants."""
        return Response({"task": TaskDetailsSerializer(self.get_object()).data})

    @action(detail=False, methods=["post"], throttle_scope="claim")
    def claim(self, request: Request) -> Response:
        """Claim the next tasks of some channels for an agent.

        Without `max_tasks` it is one task, or 404; with it a list, which may be empty.
        """
        values = ClaimRequestSerializer.read(request.data)
        return claimed(values, claim(values, caller_of(request)))

    @action(detail=False, methods=["post"], throttle_scope="report")
    def report(self, request: Request) -> Response:
        """Report outcomes of several tasks and claim the next ones, in one transaction."""
        values = ReportRequestSerializer.read(request.data)
        given = values["outcomes"]
        outcomes = [outcome_of(one) for one in given if not isinstance(one, Refused)]
        asked, agent_id = values["claim"], values["agent_id"]
        claim = claim_request(asked, agent_id, caller_of(request)) if asked else None
        verdicts, tasks = reports.report(values["agent_id"], outcomes, claim)
        claimed = {"tasks": [ClaimedTaskSerializer.shown(task) for task in tasks]} if claim else {}
        return Response({"outcomes": reported(given, verdicts), **claimed})

    @action(detail=False, methods=["post"])
    def assign(self, request: Request) -> Response:
        """Assign a queued task to an agent, which then holds it without an end of its lease."""
        values = AssignRequestSerializer.read(request.data)
        caller = caller_of(request)
        check_each(Task.objects.filter(pk=values["task_id"]), caller)
        refuse_other_agent(values["agent_id"], caller)
        task = transitions.assign(**values, by=caller.name)
        return Response({"task": AssignedTaskSerializer(task).data})

    @action(detail=False, methods=["post"], throttle_scope="report")
    def complete(self, request: Request) -> Response:
        """Complete a task with a result; the same report again changes nothing."""
        values = CompleteRequestSerializer.read(request.data)
        done = Outcome(values["task_id"], True, values["result"], epoch=values["lease_epoch"])
        return ended(done, values["agent_id"], by=caller_of(request).name)

    @action(detail=False, methods=["post"], throttle_scope="report")
    def fail(self, request: Request) -> Response:
        """Fail a task, for good unless `retriable` says otherwise and attempts are left.

        With `unsupported` the agent refuses it: it is queued for others, at no cost.
        """
        values = FailRequestSerializer.read(request.data)
        if values["unsupported"]:
            return answered(refuse(values))
        return ended(failure(values), values["agent_id"], by=caller_of(request).name)

    @action(detail=False, methods=["post"])
    def inputs(self, request: Request) -> Response:
        """Send text or keys to the agent of a task; a known key gives the first input."""
        values = InputRequestSerializer.read(request.data)
        caller = caller_of(request)
        check_each(Task.objects.filter(pk=values["task_id"]), caller)
        sent = inputs.send(**values, by=caller.name)
        return Response({"input": TaskInputSerializer(sent).data}, 201)

    @action(detail=False, methods=["post"], url_path="inputs/claim")
    def claim_input(self, request: Request) -> Response:
        """Take the oldest input for this task and agent that nobody has taken."""
        values = InputClaimRequestSerializer.read(request.data)
        speak_for(values["agent_id"], caller_of(request))
        taken = inputs.take(**values)
        return Response({"input": TaskInputSerializer(taken).data})

    @action(detail=True, methods=["post"], url_path="status")
    def unlock(self, request: Request, task_id: UUID) -> Response:
        """Unlock a locked task; the one way in which a status is asked for by its name."""
        wanted = StatusRequestSerializer.read(request.data)["status"]
        if wanted not in {Status.QUEUED, Status.DONE}:
            raise WrongStatus("Only a locked task's status is set, to queued or done.")
        task = transitions.unlock(task_id, Status(wanted), by=caller_of(request).name)
        return Response({"task": TaskSerializer(task).data})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def cancel(self, request: Request, task_id: UUID) -> Response:
        """Cancel a task: at once, or by asking its agent to stop.

        With `force` a task in progress is taken from its agent.
        """
        values = CancelRequestSerializer.read(request.data)
        task = transitions.cancel(task_id, **values, by=caller_of(request).name)
        return Response({"task": TaskSerializer(task).data})

    @action(detail=True, methods=["post"], body_is_optional=True)
    def requeue(self, request: Request, task_id: UUID) -> Response:
        """Give a failed task all its attempts again."""
        reason = ReasonRequestSerializer.read(request.data)["reason"]
        task = transitions.requeue(task_id, by=caller_of(request).name, reason=reason)
        return Response({"task": TaskSerializer(task).data})

    @action(detail=True, methods=["post"], throttle_scope="heartbeat")
    def renew(self, request: Request, task_id: UUID) -> Response:
        """Renew the lease of a task, and learn whether it is to be cancelled."""
        values = RenewRequestSerializer.read(request.data)
        task = leases.renew(
            task_id,
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            lease_seconds=values["lease_seconds"],
        )
        asked = task.cancel_asked_at is not None
        return Response({"task": TaskSerializer(task).data, "cancel_asked": asked})

    @action(detail=True, methods=["post"])
    def secrets(self, request: Request, task_id: UUID) -> Response:
        """Give the secrets of a task, for its environment, to the agent that holds it."""
        values = HolderRequestSerializer.read(request.data)
        given = secrets.given(task_id, agent_id=values["agent_id"], epoch=values["lease_epoch"])
        return Response({"secrets": given})

    @action(detail=True, methods=["post"], throttle_scope="report")
    def release(self, request: Request, task_id: UUID) -> Response:
        """Give a task back undone, at no cost to it."""
        values = ReleaseRequestSerializer.read(request.data)
        task = releases.release(
            task_id,
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            reason=values["reason"],
        )
        return Response({"task": TaskSerializer(task).data})


def claim(values: Values, caller: Caller) -> Sequence[TaskRow]:
    """Claim for the agent, if the process that asks is the one that uses its id."""
    releases.recognize(values["agent_id"], values["incarnation"])
    return claims.claim(claim_request(values, values["agent_id"], caller))


def claim_noted(values: Values, caller: Caller) -> Sequence[TaskRow]:
    """The same; what a person claims by their session is in the audit."""
    if caller.kind is not CallerKind.USER:
        return claim(values, caller)
    with fast_path.left_aside():
        tasks = claim(values, caller)
        entries = [Entry(str(task.id)) for task in tasks]
        audit.write(caller, "claim", "task", "", entries)
        return tasks


def claimed(values: Values, tasks: Sequence[TaskRow]) -> Response:
    """One task as seed 000 has it, or NoTasks; a list, empty or not, where `max_tasks` is given."""
    if values["max_tasks"] is not None:
        return Response({"tasks": [ClaimedTaskSerializer.shown(task) for task in tasks]})
    if not tasks:
        raise NoTasks
    return Response({"task": ClaimedTaskSerializer.shown(tasks[0])})


def claim_request(values: Values, agent_id: str, caller: Caller) -> ClaimRequest:
    values = scope.within(values, caller)
    return ClaimRequest(
        agent_id,
        ids=values["ids"],
        names=values["names"],
        max_tasks=values["max_tasks"] or 1,
        lease_seconds=values["lease_seconds"],
        key=values["idempotency_key"],
    )


def outcome_of(values: Values) -> Outcome:
    done = values["status"] == Status.DONE
    task_id = values["task_id"]
    return Outcome(
        task_id=task_id if isinstance(task_id, UUID) else NOBODY,
        done=done,
        result=values["result"] if done else None,
        reason=values["reason"],
        retriable=values["retriable"],
        epoch=values["lease_epoch"],
    )


def failure(values: Values) -> Outcome:
    return Outcome(
        values["task_id"],
        done=False,
        reason=values["reason"],
        retriable=values["retriable"],
        epoch=values["lease_epoch"],
    )


def refuse(values: Values) -> ReportVerdict:
    return reports.refuse(
        values["task_id"],
        agent_id=values["agent_id"],
        epoch=values["lease_epoch"],
        reason=values["reason"],
    )


def reported(given: Sequence[Values | Refused], verdicts: Sequence[ReportVerdict]) -> list[Body]:
    """What became of each outcome that was given, in that order."""
    others = iter(verdicts)
    return [
        OutcomeVerdictSerializer.shown(
            refused(one) if isinstance(one, Refused) else as_sent(one["task_id"], next(others))
        )
        for one in given
    ]


def as_sent(task_id: UUID | str, verdict: ReportVerdict) -> ReportVerdict:
    """The verdict on an outcome; what is no id is named as it was sent."""
    if isinstance(task_id, UUID):
        return verdict
    return replace(verdict, task_id=task_id, problem=TaskUnknown(f"There is no task {task_id!r}."))


def refused(outcome: Refused) -> ReportVerdict:
    """An outcome that is wrong in itself, by the task that it names, if it does."""
    data = marks.shown(outcome.data)
    named = data.get("task_id") if isinstance(data, dict) else None
    return ReportVerdict(str(named) if named else None, Verdict.REFUSED, outcome.problem)


def ended(outcome: Outcome, agent_id: str, *, by: str) -> Response:
    """Take one report, whose loss is an error."""
    return answered(reports.report_one(outcome, agent_id=agent_id, by=by))


def answered(report: ReportVerdict) -> Response:
    """The answer to one report: the task as it now is, or why it was refused."""
    if report.problem:
        raise report.problem
    return Response(
        {"task": TaskSerializer(report.task or Task.objects.get(pk=str(report.task_id))).data}
    )
