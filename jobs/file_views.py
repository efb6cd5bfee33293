"""Logs and files of commands under /api/v1/jobs/{job_id}: those of their tasks."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ownership
from accounts.authentication import STREAM_AUTHENTICATION
from accounts.callers import caller_of
from api.async_views import AsyncAPIView
from api.fields import identifier
from artifacts import file_answers, log_answers
from artifacts.threads import in_thread
from jobs import commands, schema
from jobs.apps import COMMANDS
from jobs.exceptions import JobUnknown
from jobs.models import Command
from problems.families import answer_as
from tasks.models import Task


class OfJobView(AsyncAPIView):
    """What is read of the task of a command, by those who may see the command."""

    users_may = frozenset({"get"})

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        answer_as(request, COMMANDS)
        return super().initialize_request(request, *args, **kwargs)

    async def task_of(self, request: Request, job_id: str) -> Task:
        """The task. Raises where there is no such command, or where it is of another user."""
        command = await in_thread(partial(_known, job_id))
        ownership.check(command.job.user_id, caller_of(request), changes=False)
        if command.task is None:
            raise JobUnknown("The task of this command was purged.")
        return command.task


def _known(job_id: str) -> Command:
    known = identifier(job_id.strip()) if commands.is_id(job_id) else UUID(int=0)
    command = Command.objects.select_related("job", "task").filter(pk=known).first()
    if command is None:
        raise JobUnknown
    return command


@schema.job_logs
class JobLogsView(OfJobView):
    authentication_classes = STREAM_AUTHENTICATION

    async def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Show the log of a command: a page, all of it, or as it grows."""
        return await log_answers.answer(request, await self.task_of(request, job_id))


@schema.job_artifacts
class JobArtifactsView(OfJobView):
    http_method_names = ["get"]

    async def get(self, request: Request, job_id: str) -> Response:
        """List the artifacts of a command, those of its last attempt first."""
        return await file_answers.listing(request, await self.task_of(request, job_id))


@schema.job_archive
class JobArchiveView(OfJobView):
    http_method_names = ["get"]

    async def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Get all artifacts of a command as a ZIP archive."""
        return await file_answers.everything(request, await self.task_of(request, job_id))


@schema.job_artifact
class JobArtifactView(OfJobView):
    http_method_names = ["get", "head"]

    async def get(self, request: Request, job_id: str, path: str) -> HttpResponseBase:
        """Get an artifact of a command, or a part of it."""
        return await file_answers.download(request, await self.task_of(request, job_id), path)

    async def head(self, request: Request, job_id: str, path: str) -> HttpResponseBase:
        """Get the headers of an artifact."""
        return await self.get(request, job_id, path)
