"""Logs and files of tasks under /v1/tasks/{task_id}."""

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ownership
from accounts.authentication import (
    LoopbackAuthentication,
    QueryTokenAuthentication,
    SessionAuthentication,
)
from accounts.callers import caller_of
from accounts.permissions import AsAgent, agent_in, said_in
from accounts.rights import SAFE_METHODS
from api import uploads as bodies
from api.async_views import AsyncAPIView
from api.viewsets import refuse_no_body
from artifacts import file_answers, log_answers, logs, schema, uploads
from artifacts.answers import ArtifactSerializer
from artifacts.models import Artifact
from artifacts.querysets import lost_epochs
from artifacts.serializers import LARGEST, LogBatchRequestSerializer
from artifacts.threads import in_thread
from problems import Invalid, Problem
from tasks.exceptions import TaskUnknown
from tasks.lease_tokens import LeaseAuthentication
from tasks.models import Task

AS_AGENT = AsAgent(in_query=True)
SHA256 = re.compile("[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
WHOLE_NUMBER = re.compile("[0-9]{1,19}", re.ASCII)
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", re.IGNORECASE | re.ASCII)
BYTES = "application/octet-stream"
LONGEST_TYPE = 100


class OfTaskView(AsyncAPIView):
    """What is read of a task, by those who may see the task itself."""

    users_may: ClassVar[frozenset[str]] = frozenset({"get"})
    leases_may: ClassVar[frozenset[str]] = frozenset()
    """What the token of a lease may do, on the task of that lease."""

    @property
    def throttle_scope(self) -> str:
        return "" if self.request.method in SAFE_METHODS else "report"

    async def task_of(self, request: Request, task_id: UUID) -> Task:
        """The task. Raises where there is none, or where it is of another user."""
        rows = Task.objects.only("user_id", "status")
        task: Task | None = await in_thread(rows.filter(pk=task_id).first)
        if task is None:
            raise TaskUnknown(f"There is no task {task_id}.")
        ownership.check(task.user_id, caller_of(request), changes=False)
        return task


@schema.task_logs
class LogsView(OfTaskView):
    authentication_classes = (
        QueryTokenAuthentication,  # of a browser that follows
        LeaseAuthentication,
        SessionAuthentication,
        LoopbackAuthentication,
    )
    agents_may = {"post": AsAgent()}
    leases_may = frozenset({"post"})

    async def get(self, request: Request, task_id: UUID) -> HttpResponseBase:
        """Show the log of a task: a page, all of it, or as it grows.

        With `limit` it is a page; with `follow` server-sent events, which end when the task has.
        """
        return await log_answers.answer(request, await self.task_of(request, task_id))

    async def post(self, request: Request, task_id: UUID) -> Response:
        """Add lines to the log of a task that the agent holds.

        The same batch again changes nothing; the next one has the next number of its stream.
        """
        refuse_no_body(request)
        values = LogBatchRequestSerializer.read(request.data)
        batch = logs.Batch(
            task_id,
            values["agent_id"],
            values["lease_epoch"],
            values["stream"],
            values["sequence"],
            values["entries"],
        )
        return Response({"accepted_sequence": await logs.accept(batch)})


@schema.task_artifacts
class ArtifactsView(OfTaskView):
    http_method_names = ["get"]

    async def get(self, request: Request, task_id: UUID) -> Response:
        """List the artifacts of a task, those of its last attempt first."""
        return await file_answers.listing(request, await self.task_of(request, task_id))


@schema.task_archive
class ArchiveView(OfTaskView):
    http_method_names = ["get"]

    async def get(self, request: Request, task_id: UUID) -> HttpResponseBase:
        """Get all artifacts of a task as a ZIP archive.

        A path that several attempts have sent is that of the last one; those of the others are
        below `attempt-N/`.
        """
        return await file_answers.everything(request, await self.task_of(request, task_id))


@schema.task_artifact
class ArtifactView(OfTaskView):
    http_method_names = ["get", "head", "put"]
    agents_may = {"put": AS_AGENT}
    leases_may = frozenset({"put"})

    async def get(self, request: Request, task_id: UUID, path: str) -> HttpResponseBase:
        """Get an artifact, or a part of it."""
        return await file_answers.download(request, await self.task_of(request, task_id), path)

    async def head(self, request: Request, task_id: UUID, path: str) -> HttpResponseBase:
        """Get the headers of an artifact."""
        return await self.get(request, task_id, path)

    async def put(self, request: Request, task_id: UUID, path: str) -> Response:
        """Keep a file of a task that the agent holds.

        The body is the file. Another file of the same path and lease is replaced; the same again
        changes nothing.
        """
        parts = bodies.parts_of(request)
        try:
            artifact, new = await uploads.accept(upload_of(request, task_id, path), parts)
        except Problem:
            await self.pass_over(request, parts)
            raise
        if not new:
            await self.pass_over(request, parts, artifact)
        lost = await in_thread(partial(lost_epochs, task_id))
        artifact.is_lost = artifact.epoch in lost
        return Response({"artifact": ArtifactSerializer.shown(artifact)}, 201 if new else 200)

    async def pass_over(
        self, request: Request, parts: AsyncIterator[bytes], known: Artifact | None = None
    ) -> None:
        """Let the client send the rest of its body, else say that the connection ends here.

        A file that is `known` may be sent again as slowly as a new one.
        """
        most: int = bodies.PASSED_OVER
        within: float | None = bodies.PASSED_OVER_WITHIN
        if known is not None:
            most, within = max(most, known.size), None
        if length_of(request) > most or not await bodies.pass_over(request, parts, most, within):
            self.headers["Connection"] = "close"


def upload_of(request: Request, task_id: UUID, path: str) -> uploads.Upload:
    """What the request says of the file that it brings."""
    query, headers = request.query_params, request.headers
    agent_id = agent_in(said_in(request, AS_AGENT), AS_AGENT)
    if not agent_id:
        raise Invalid("agent_id_required")
    epoch = query.get("lease_epoch", "")
    if not WHOLE_NUMBER.fullmatch(epoch) or int(epoch) > LARGEST:
        raise Invalid(f"lease_epoch must be a whole number from 1 to {LARGEST}")
    sha256 = headers.get("X-Content-SHA256", "")
    if not SHA256.fullmatch(sha256):
        raise Invalid("X-Content-SHA256 must be the SHA-256 of the body in hex")
    return uploads.Upload(
        task_id,
        agent_id,
        int(epoch),
        file_answers.path_in(path),
        sha256.lower(),
        media_type(headers.get("Content-Type", "")),
        length_of(request),
    )


def length_of(request: Request) -> int:
    """How long the body says that it is; 0 where it does not."""
    length = request.headers.get("Content-Length", "")
    return int(length) if WHOLE_NUMBER.fullmatch(length) else 0


def media_type(header: str) -> str:
    """The type that a file is said to have, without parameters; bytes where it is none."""
    given = header.partition(";")[0].strip().lower()
    return given if MEDIA_TYPE.fullmatch(given) and len(given) <= LONGEST_TYPE else BYTES
