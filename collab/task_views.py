"""The verbs of those who make jobs and of workers under /api/collab (contract 003, 1.1 and 1.2)."""

from collections.abc import Collection
from typing import ClassVar

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller, caller_of
from accounts.ownership import visible
from accounts.permissions import AsAgent
from agents.models import Agent
from api.body import JsonValue
from api.serializers import Values
from api.traces import traceparent_of
from collab import claims, schema, transitions, workers
from collab.answers import CollabJobSerializer, WorkerSerializer
from collab.serializers import (
    AssignJobRequestSerializer,
    CancelJobRequestSerializer,
    CancelMode,
    ClaimJobRequestSerializer,
    HeldJobRequestSerializer,
    ProgressRequestSerializer,
    ReleaseJobRequestSerializer,
    RenewJobRequestSerializer,
    ResultRequestSerializer,
    WorkerRequestSerializer,
)
from collab.tracing import supplied
from collab.transitions import Holder, JobRequest, Result
from collab.views import items
from collab.viewsets import CollabViewSet
from tasks.models import Task
from tasks.scope import beyond_channel
from tasks.views import AuditedTasks

OF_WORKER = AsAgent("workerId")


def beyond_executor(data: JsonValue, caller: Caller) -> Collection[str]:
    """The executor of a claim, unless it is for the caller."""
    return beyond_channel(ClaimJobRequestSerializer.read(data)["executorId"], caller)


@schema.tasks
class CollabTaskViewSet(AuditedTasks, CollabViewSet):
    """What is done with jobs."""

    audited_fields = dict.fromkeys(("result", "release", "cancel"), "jobId")
    audited_unlocked = frozenset({"result", "release"})
    not_audited = frozenset({"start", "renew", "progress"})
    made = {"jobId": "task", "job": "task"}

    users_may = frozenset({"assign", "cancel"})
    agents_may: ClassVar[dict[str, AsAgent]] = {
        "claim": AsAgent("workerId", beyond_executor),
        **dict.fromkeys(("start", "renew", "progress", "result", "release"), OF_WORKER),
    }

    @action(detail=False, methods=["post"], url_path="task.assign")
    def assign(self, request: Request) -> Response:
        """Queue a job for an executor; a known key gives the first job that had it."""
        values = AssignJobRequestSerializer.read(request.data)
        wanted = job_request(values, trace_of(request))
        job_id, new = transitions.assign(wanted, by=caller_of(request))
        return Response({"jobId": job_id, "queued": new})

    @action(detail=False, methods=["post"], url_path="task.claim", throttle_scope="claim")
    def claim(self, request: Request) -> Response:
        """Lease the next job of an executor to a worker; null when there is none."""
        values = ClaimJobRequestSerializer.read(request.data)
        job = claims.claim(values, caller_of(request))
        return Response({"job": CollabJobSerializer.shown(job) if job else None})

    @action(detail=False, methods=["post"], url_path="task.start", throttle_scope="heartbeat")
    def start(self, request: Request) -> Response:
        """Say that a worker runs a job. Repeating it changes nothing."""
        values = HeldJobRequestSerializer.read(request.data)
        job = transitions.start(values["jobId"], holder(values))
        return Response({"ok": True, "job": CollabJobSerializer.shown(job)})

    @action(detail=False, methods=["post"], url_path="task.renew", throttle_scope="heartbeat")
    def renew(self, request: Request) -> Response:
        """Start the lease of a job anew, and learn whether it is to be cancelled."""
        values = RenewJobRequestSerializer.read(request.data)
        job = transitions.renew(values["jobId"], holder(values), seconds=values["leaseSeconds"])
        asked = {"cancelRequested": job.cancel_requested}
        return Response({"ok": True, "leaseUntil": job.lease_expires_at, **asked})

    @action(detail=False, methods=["post"], url_path="task.progress", throttle_scope="heartbeat")
    def progress(self, request: Request) -> Response:
        """Write to the journal how far a running job is."""
        values = ProgressRequestSerializer.read(request.data)
        said = {name: values[name] for name in ("pct", "detail") if values[name] is not None}
        transitions.progress(values["jobId"], holder(values), said)
        return Response({"ok": True})

    @action(detail=False, methods=["post"], url_path="task.result", throttle_scope="report")
    def result(self, request: Request) -> Response:
        """Report what became of a job; the same report again changes nothing.

        Without `workerId` it is for those who may operate, while the job is leased.
        """
        values = ResultRequestSerializer.read(request.data)
        by = caller_of(request)
        transitions.report(values["jobId"], result_of(values), holder(values), by=by)
        return Response({"ok": True})

    @action(detail=False, methods=["post"], url_path="task.release", throttle_scope="report")
    def release(self, request: Request) -> Response:
        """Give a job back undone, at no cost to it."""
        values = ReleaseJobRequestSerializer.read(request.data)
        job = transitions.release(values["jobId"], holder(values), reason=values["reason"])
        return Response({"ok": True, "status": job.job_status})

    @action(detail=False, methods=["post"], url_path="task.cancel")
    def cancel(self, request: Request) -> Response:
        """Cancel a job that waits; ask the worker of one that runs to stop, or take it away.

        `mode` soft asks, hard takes away.
        """
        values = CancelJobRequestSerializer.read(request.data)
        hard, by = values["mode"] == CancelMode.HARD, caller_of(request)
        job = transitions.cancel(values["jobId"], hard=hard, reason=values["reason"], by=by)
        return Response({"ok": True, "status": job.job_status})


@schema.workers
class WorkerViewSet(CollabViewSet):
    """Who works."""

    users_may = frozenset({"active"})
    agents_may: ClassVar[dict[str, AsAgent]] = {"heartbeat": AsAgent("agentId")}

    @action(detail=False, methods=["post"], throttle_scope="heartbeat")
    def heartbeat(self, request: Request) -> Response:
        """Say that a worker lives; learn which of its jobs are to be cancelled."""
        agent = workers.beat(WorkerRequestSerializer.read(request.data))
        asked = Task.objects.held_by(agent.pk).cancel_asked().values_list("pk", flat=True)
        return Response({"ok": True, "cancelRequested": list(asked), "drain": agent.draining})

    @action(detail=False)
    def active(self, request: Request) -> Response:
        """List the workers that were seen within 20 seconds, the last seen first."""
        rows = visible(Agent.objects.all(), caller_of(request))
        return Response(items(WorkerSerializer, workers.active(rows)))


def trace_of(request: Request) -> str:
    """The trace of a new job: what the request names, else its W3C traceparent."""
    return supplied(request) or traceparent_of(request)


def job_request(values: Values, trace: str) -> JobRequest:
    return JobRequest(
        type=values["type"],
        executor=values["executorId"],
        payload=values["payload"],
        key=values["idempotencyKey"],
        priority=values["priority"],
        max_attempts=values["maxAttempts"],
        run_at=values["runAt"],
        trace=trace,
    )


def holder(values: Values) -> Holder:
    return Holder(worker=values["workerId"], token=values["leaseToken"])


def result_of(values: Values) -> Result:
    letter = {"reason_code": values["reason"], "stage": values["stage"]}
    return Result(
        type=values["type"],
        ok=values["ok"],
        result=values["result"],
        artifacts=values["artifacts"],
        error=values["error"],
        retryable=values["retryable"],
        letter={name: word for name, word in letter.items() if word},
    )
