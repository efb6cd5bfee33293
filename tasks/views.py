"""The verbs of tasks and channels under /v1 (contract 000-002, 1.3)."""

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from api import marks
from api.serializers import Refused, Values
from api.views import JsonView, ListView, filled, reply
from problems import Problem
from tasks import bodies, claims, inputs, leases, releases, reports, transitions
from tasks.exceptions import ChannelUnknown, NoTasks, TaskUnknown, WrongStatus
from tasks.filters import ChannelFilters, TaskFilters
from tasks.models import Channel, Task
from tasks.reports import ReportVerdict
from tasks.rows import ClaimRequest, Outcome, TaskRow
from tasks.serializers import (
    AssignRequestSerializer,
    CancelRequestSerializer,
    ChannelRequestSerializer,
    ClaimRequestSerializer,
    CompleteRequestSerializer,
    FailRequestSerializer,
    InputClaimRequestSerializer,
    InputRequestSerializer,
    ReasonRequestSerializer,
    ReleaseRequestSerializer,
    RenewRequestSerializer,
    ReportRequestSerializer,
    StatusRequestSerializer,
)
from tasks.states import Status


class ChannelsView(ListView[Channel]):
    key = "channels"
    queryset = Channel.objects.all()
    filterset_class = ChannelFilters

    def body(self, row: Channel) -> dict[str, object]:
        return bodies.channel(row)

    def post(self, request: Request) -> HttpResponse:
        values = self.read(ChannelRequestSerializer)
        channel = transitions.open_channel(**values, by=caller_of(request).name)
        return reply({"channel": bodies.channel(channel)}, 201)


class ChannelByNameView(JsonView):
    def get(self, request: Request, name: str) -> HttpResponse:
        channel = Channel.objects.named([name]).first()
        if channel is None:
            raise ChannelUnknown(f"There is no channel named {name!r}.")
        return reply({"channel": bodies.channel(channel)})


class PauseView(JsonView):
    def post(self, request: Request, channel_id: UUID) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        by = caller_of(request).name
        channel = transitions.pause_channel(channel_id, by=by, reason=reason)
        return reply({"channel": bodies.channel(channel)})


class ResumeView(JsonView):
    def post(self, request: Request, channel_id: UUID) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        by = caller_of(request).name
        channel = transitions.resume_channel(channel_id, by=by, reason=reason)
        return reply({"channel": bodies.channel(channel)})


class TaskListView(ListView[Task]):
    """The list of tasks; making them is said of chains too, so that part stands in `chains`."""

    key = "tasks"
    queryset = Task.objects.all()
    filterset_class = TaskFilters

    def body(self, row: Task) -> dict[str, object]:
        return bodies.task(row)


class TaskView(JsonView):
    def get(self, request: Request, task_id: UUID) -> HttpResponse:
        task = Task.objects.select_related("requirement").filter(pk=task_id).first()
        if task is None:
            raise TaskUnknown(f"There is no task {task_id}.")
        return reply({"task": bodies.task(task) | bodies.details(task)})


class ClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(ClaimRequestSerializer)
        return claim_reply(values, claim(values))


def claim(values: Values) -> Sequence[TaskRow]:
    """Claim for the agent, if the process that asks is the one that uses its id."""
    releases.recognize(values["agent_id"], values["incarnation"])
    return claims.claim(claim_request(values, values["agent_id"]))


def claim_reply(values: Values, tasks: Sequence[TaskRow]) -> HttpResponse:
    """One task as seed 000 has it, or NoTasks; a list, empty or not, where `max_tasks` is given."""
    if values["max_tasks"] is not None:
        return reply({"tasks": [bodies.task(task) for task in tasks]})
    if not tasks:
        raise NoTasks
    return reply({"task": bodies.task(tasks[0])})


def claim_request(values: Values, agent_id: str) -> ClaimRequest:
    return ClaimRequest(
        agent_id,
        ids=values["ids"],
        names=values["names"],
        max_tasks=values["max_tasks"] or 1,
        lease_seconds=values["lease_seconds"],
        key=values["idempotency_key"],
    )


class ReportView(JsonView):
    """Outcomes of several tasks and the next claim in one request, one transaction."""

    def post(self, request: Request) -> HttpResponse:
        values = self.read(ReportRequestSerializer)
        given = values["outcomes"]
        outcomes = [outcome_of(one) for one in given if not isinstance(one, Refused)]
        agent_id = values["agent_id"]
        claim = claim_request(values["claim"], agent_id) if values["claim"] else None
        verdicts, tasks = reports.report(agent_id, outcomes, claim)
        others = iter(verdicts)
        answers = [
            _refused(one) if isinstance(one, Refused) else _outcome(next(others)) for one in given
        ]
        body: dict[str, object] = {"outcomes": answers}
        if values["claim"]:
            body["tasks"] = [bodies.task(task) for task in tasks]
        return reply(body)


def outcome_of(values: Values) -> Outcome:
    done = values["status"] == Status.DONE
    return Outcome(
        task_id=values["task_id"],
        done=done,
        result=values["result"] if done else None,
        reason=values["reason"],
        retriable=values["retriable"],
        epoch=values["lease_epoch"],
    )


def _outcome(report: ReportVerdict) -> dict[str, object]:
    body: dict[str, object] = {"task_id": report.task_id, "answer": report.verdict}
    return body | _error(report.problem) if report.problem else body


def _refused(outcome: Refused) -> dict[str, object]:
    """An outcome that is wrong in itself, by the task that it names, if it does."""
    data = marks.shown(outcome.data)
    named = data.get("task_id") if isinstance(data, dict) else None
    return filled(task_id=named) | {"answer": "refused"} | _error(outcome.problem)


def _error(problem: Problem) -> dict[str, object]:
    return {"error": {"code": problem.code, "message": problem.message}}


class CompleteView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(CompleteRequestSerializer)
        done = Outcome(values["task_id"], True, values["result"], epoch=values["lease_epoch"])
        return _reply_to(done, values["agent_id"], by=caller_of(request).name)


class FailView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(FailRequestSerializer)
        if values["unsupported"]:
            return _reply_with(
                reports.refuse(
                    values["task_id"],
                    agent_id=values["agent_id"],
                    epoch=values["lease_epoch"],
                    reason=values["reason"],
                )
            )
        failed = Outcome(
            values["task_id"],
            False,
            reason=values["reason"],
            retriable=values["retriable"],
            epoch=values["lease_epoch"],
        )
        return _reply_to(failed, values["agent_id"], by=caller_of(request).name)


def _reply_to(outcome: Outcome, agent_id: str, *, by: str) -> HttpResponse:
    """Take one report, whose loss is an error, and answer with the task as it now is."""
    return _reply_with(reports.report_one(outcome, agent_id=agent_id, by=by))


def _reply_with(report: ReportVerdict) -> HttpResponse:
    if report.problem:
        raise report.problem
    return reply({"task": bodies.task(report.task or Task.objects.get(pk=report.task_id))})


class AssignView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        task = transitions.assign(**self.read(AssignRequestSerializer), by=caller_of(request).name)
        return reply({"task": bodies.task(task, with_token=True)})


class StatusView(JsonView):
    """Unlocks: the one way in which a status is asked for by its name."""

    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        wanted = self.read(StatusRequestSerializer)["status"]
        if wanted not in {Status.QUEUED, Status.DONE}:
            raise WrongStatus("Only a locked task's status is set, to queued or done.")
        task = transitions.unlock(task_id, Status(wanted), by=caller_of(request).name)
        return reply({"task": bodies.task(task)})


class CancelView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        values = self.read_optional(CancelRequestSerializer)
        task = transitions.cancel(task_id, **values, by=caller_of(request).name)
        return reply({"task": bodies.task(task)})


class RequeueView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        reason = self.read_optional(ReasonRequestSerializer)["reason"]
        task = transitions.requeue(task_id, by=caller_of(request).name, reason=reason)
        return reply({"task": bodies.task(task)})


class RenewView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        values = self.read(RenewRequestSerializer)
        task = leases.renew(
            task_id,
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            lease_seconds=values["lease_seconds"],
        )
        asked = task.cancel_asked_at is not None
        return reply({"task": bodies.task(task), "cancel_asked": asked})


class ReleaseView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        values = self.read(ReleaseRequestSerializer)
        task = releases.release(
            task_id,
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            reason=values["reason"],
        )
        return reply({"task": bodies.task(task)})


class InputsView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        sent = inputs.send(**self.read(InputRequestSerializer), by=caller_of(request).name)
        return reply({"input": bodies.task_input(sent)}, 201)


class InputClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        taken = inputs.take(**self.read(InputClaimRequestSerializer))
        return reply({"input": bodies.task_input(taken)})
