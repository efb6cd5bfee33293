"""The verbs of tasks and channels under /v1 (contract 000-002, 1.3)."""

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.callers import caller_of
from api.serializers import Values
from api.views import JsonView, ListView, reply
from tasks import bodies, claims, fastlane, holds, inputs, reports, transitions
from tasks.exceptions import ChannelUnknown, NoTasks, TaskUnknown, WrongStatus
from tasks.fastlane import ClaimedTask, Outcome
from tasks.filters import ChannelFilters, TaskFilters
from tasks.models import Channel, Task
from tasks.reports import Answer, Verdict
from tasks.serializers import (
    AssignBody,
    ChannelBody,
    ClaimBody,
    CompleteBody,
    FailBody,
    InputBody,
    InputClaimBody,
    ReasonBody,
    RenewBody,
    ReportBody,
    StatusBody,
)
from tasks.states import Status


class ChannelsView(ListView[Channel]):
    key = "channels"
    queryset = Channel.objects.all()
    filterset_class = ChannelFilters

    def body(self, row: Channel) -> dict[str, object]:
        return bodies.channel(row)

    def post(self, request: Request) -> HttpResponse:
        values = self.read(ChannelBody)
        channel = transitions.open_channel(**values, by=caller_of(request).name)
        return reply({"channel": bodies.channel(channel)}, 201)


class ChannelByNameView(JsonView):
    def get(self, request: Request, name: str) -> HttpResponse:
        channel = Channel.objects.filter(name=name).first()
        if channel is None:
            raise ChannelUnknown(f"There is no channel named {name!r}.")
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
        task = Task.objects.filter(pk=task_id).first()
        if task is None:
            raise TaskUnknown(f"There is no task {task_id}.")
        bad = [bodies.attempt(attempt) for attempt in task.bad_attempts.order_by("epoch")]
        return reply({"task": bodies.task(task) | ({"bad_attempts": bad} if bad else {})})


class ClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(ClaimBody)
        return claim_reply(values, claim_now(values))


def claim_now(values: Values) -> Sequence[Task | ClaimedTask]:
    """The tasks that a claim gets now: by the fast way where that serves it, else by the slow."""
    named = values["ids"] or values["names"]
    if len(named) == 1 and not values["idempotency_key"]:
        answer = fastlane.run(
            values["agent_id"],
            channel=named[0],
            max_tasks=values["max_tasks"] or 1,
            lease_seconds=values["lease_seconds"],
        )
        if answer.served and not answer.overtaken:
            return answer.tasks
    return claims.claim(wish_of(values, values["agent_id"]))


def claim_reply(values: Values, tasks: Sequence[Task | ClaimedTask]) -> HttpResponse:
    """One task as seed 000 has it, or NoTasks; a list, empty or not, where `max_tasks` is given."""
    if values["max_tasks"] is not None:
        return reply({"tasks": [bodies.task(task) for task in tasks]})
    if not tasks:
        raise NoTasks
    return reply({"task": bodies.task(tasks[0])})


def wish_of(values: Values, agent_id: str) -> claims.Claim:
    ids = values["ids"] or Channel.objects.named(values["names"]).values_list("pk", flat=True)
    return claims.Claim(
        agent_id=agent_id,
        channels=list(ids),
        max_tasks=values["max_tasks"] or 1,
        lease_seconds=values["lease_seconds"],
        key=values["idempotency_key"],
    )


class ReportView(JsonView):
    """Outcomes of several tasks and the next claim in one request, one transaction."""

    def post(self, request: Request) -> HttpResponse:
        values = self.read(ReportBody)
        outcomes = [outcome_of(outcome) for outcome in values["outcomes"]]
        answers, tasks = _report(values["agent_id"], outcomes, values["claim"])
        body: dict[str, object] = {"outcomes": [_answer(answer) for answer in answers]}
        if values["claim"]:
            body["tasks"] = [bodies.task(task) for task in tasks]
        return reply(body)


def _report(
    agent_id: str, outcomes: Sequence[Outcome], claim: Values | None
) -> tuple[Sequence[Answer], Sequence[Task | ClaimedTask]]:
    named = (claim["ids"] or claim["names"]) if claim else [None]
    if len(named) == 1 and not (claim and claim["idempotency_key"]):
        done = fastlane.run(
            agent_id,
            outcomes=outcomes,
            channel=named[0],
            max_tasks=(claim["max_tasks"] if claim else None) or 1,
            lease_seconds=claim["lease_seconds"] if claim else None,
        )
        if done.served:
            answers = [Answer(outcome.task_id, Verdict.ACCEPTED) for outcome in outcomes]
            if claim and done.overtaken:
                return answers, claims.claim(wish_of(claim, agent_id))
            return answers, done.tasks
    wish = wish_of(claim, agent_id) if claim else None
    return reports.report(outcomes, agent_id=agent_id, by="", wish=wish)


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


def _answer(answer: Answer) -> dict[str, object]:
    body: dict[str, object] = {"task_id": answer.task_id, "answer": answer.verdict}
    if answer.problem:
        body["error"] = {"code": answer.problem.code, "message": answer.problem.message}
    return body


class CompleteView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(CompleteBody)
        done = Outcome(values["task_id"], True, values["result"], epoch=values["lease_epoch"])
        return report_one(done, values["agent_id"], by=caller_of(request).name)


class FailView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(FailBody)
        failed = Outcome(
            values["task_id"],
            False,
            reason=values["reason"],
            retriable=values["retriable"],
            epoch=values["lease_epoch"],
        )
        return report_one(failed, values["agent_id"], by=caller_of(request).name)


def report_one(outcome: Outcome, agent_id: str, *, by: str) -> HttpResponse:
    """Take one report, whose loss is an error, and answer with the task as it now is."""
    if not (agent_id and fastlane.run(agent_id, outcomes=[outcome]).served):
        answers, _ = reports.report([outcome], agent_id=agent_id or None, by=by)
        if answers[0].problem:
            raise answers[0].problem
    return reply({"task": bodies.task(Task.objects.get(pk=outcome.task_id))})


class AssignView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        task = transitions.assign(**self.read(AssignBody), by=caller_of(request).name)
        return reply({"task": bodies.task(task, with_token=True)})


class StatusView(JsonView):
    """Unlocks: the one way in which a status is asked for by its name."""

    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        wanted = self.read(StatusBody)["status"]
        if wanted not in {Status.QUEUED, Status.DONE}:
            raise WrongStatus("Only a locked task's status is set, to queued or done.")
        task = transitions.unlock(task_id, Status(wanted), by=caller_of(request).name)
        return reply({"task": bodies.task(task)})


class CancelView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        reason = self.read_optional(ReasonBody)["reason"]
        task = transitions.cancel(task_id, by=caller_of(request).name, reason=reason)
        return reply({"task": bodies.task(task)})


class RequeueView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        reason = self.read_optional(ReasonBody)["reason"]
        task = transitions.requeue(task_id, by=caller_of(request).name, reason=reason)
        return reply({"task": bodies.task(task)})


class RenewView(JsonView):
    def post(self, request: Request, task_id: UUID) -> HttpResponse:
        values = self.read(RenewBody)
        task = holds.renew(
            task_id,
            agent_id=values["agent_id"],
            epoch=values["lease_epoch"],
            lease_seconds=values["lease_seconds"],
        )
        asked = task.cancel_asked_at is not None
        return reply({"task": bodies.task(task), "cancel_asked": asked})


class InputsView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        sent = inputs.send(**self.read(InputBody), by=caller_of(request).name)
        return reply({"input": bodies.task_input(sent)}, 201)


class InputClaimView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        taken = inputs.take(**self.read(InputClaimBody))
        return reply({"input": bodies.task_input(taken)})
