"""A SPOT's reports, translated for the engine, and the answers to them."""

import logging
from uuid import UUID

from api.serializers import Values
from spots.exceptions import NotAssigned, SpotTaskUnknown, TaskCancelled
from spots.serializers import LONGEST_OUTPUT, FailureReason
from tasks import releases, reports
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown
from tasks.models import Task
from tasks.reports import Verdict
from tasks.rows import Outcome
from tasks.states import BY_COORDINATOR, FINISHED, Status

RESULT = ("runtimeMs", "iter", "fopt", "resultJson", "bestPos", "charts", "peakRamMb")
NEVER_HERE = frozenset({FailureReason.UNSUPPORTED, FailureReason.MISSING_ARTIFACT})

Body = dict[str, object]

log = logging.getLogger("coordinator.spots")


def complete(task_id: UUID, values: Values, *, by: str) -> Body:
    """Complete the task with the result.

    A SPOT that has completed it may do so again, with other numbers too: the first ones are kept.
    """
    result = {name: values[name] for name in RESULT if values[name] is not None}
    spot_id = values["spotId"]
    done = Outcome(task_id, True, result, epoch=values["leaseEpoch"])
    if reports.report_one(done, agent_id=spot_id, by=by).verdict == Verdict.ACCEPTED:
        return {"success": True}
    task = _known(task_id)
    own = task.agent_id == spot_id and done.epoch in {None, task.lease_epoch}
    if task.status == Status.DONE and own:
        return {"success": True, "message": "already completed"}
    if task.status == Status.CANCELLED:
        raise TaskCancelled
    raise _not_assigned(task, spot_id, "complete")


def fail(task_id: UUID, values: Values, *, by: str) -> Body:
    """End the attempt. The same report again changes nothing and gets the same answer.

    A task that this SPOT can never do goes back in the queue for others and uses no attempt.
    """
    why = _failure_reason(values["failureReason"])
    spot_id, reason = values["spotId"], _reason(values, why)
    if why in NEVER_HERE:
        answer = reports.refuse(
            task_id, agent_id=spot_id, epoch=values["leaseEpoch"], reason=reason
        )
    else:
        failed = Outcome(
            task_id,
            False,
            reason=reason,
            retriable=values["retriable"],
            epoch=values["leaseEpoch"],
        )
        answer = reports.report_one(failed, agent_id=spot_id, by=by)
    task = _known(task_id)
    body: Body = {"success": True}
    ended_before = answer.verdict != Verdict.ACCEPTED or task.dead_letter in BY_COORDINATOR
    if ended_before and task.status in FINISHED:
        body["message"] = "already terminal"
    elif answer.verdict == Verdict.LOST:
        raise _not_assigned(task, spot_id, "fail")
    else:
        body["willRetry"] = task.status not in {Status.FAILED, Status.CANCELLED}
    return body | ({"failureReason": why} if why else {})


def release(task_id: UUID, values: Values) -> Body:
    """Give the task back undone, at no cost to it."""
    spot_id = values["spotId"]
    try:
        releases.release(
            task_id, agent_id=spot_id, epoch=values["leaseEpoch"], reason=values["reason"]
        )
    except TaskUnknown:
        raise SpotTaskUnknown from None
    except (LeaseLost, NotHolder):
        raise _not_assigned(_known(task_id), spot_id, "release") from None
    return {"success": True}


def _known(task_id: UUID) -> Task:
    task = Task.objects.defer("payload", "result").filter(pk=task_id).first()
    if task is None:
        raise SpotTaskUnknown
    return task


def _not_assigned(task: Task, spot_id: str, verb: str) -> NotAssigned:
    holder = task.agent_id or "nobody"
    if task.status in FINISHED:
        holder += f", and {task.status}"
    elif holder == spot_id:
        holder += " by a later lease"
    log.warning(
        "Spot %s tried to %s task %s but it's assigned to %s", spot_id, verb, task.pk, holder
    )
    return NotAssigned()


def _failure_reason(text: str) -> FailureReason | None:
    """The reason by name; an unknown one counts as RUNTIME_ERROR."""
    if not text:
        return None
    known = text.upper()
    return FailureReason(known) if known in FailureReason else FailureReason.RUNTIME_ERROR


def _reason(values: Values, why: FailureReason | None) -> str:
    """The fail reason to store: the SPOT's error, its kind in brackets, the end of its output."""
    code = values["exitCode"]
    kind = [*([why] if why else []), *([f"exit code {code}"] if code is not None else [])]
    error = values["error"] or values["errorMessage"]
    first = " ".join([*([error] if error else []), *([f"[{', '.join(kind)}]"] if kind else [])])
    output = values["outputSnippet"][-LONGEST_OUTPUT:]
    return "\n".join(line for line in (first, output) if line)
