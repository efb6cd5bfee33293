"""Answers with the artifacts of a task: their list, one of them, all of them.

Each takes any request and task; who may see the task is the caller's to check.
"""

import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from urllib.parse import unquote

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts import archive, store
from artifacts.answers import ArtifactSerializer
from artifacts.exceptions import ArtifactUnknown, ObjectLost, ObjectMissing
from artifacts.keys import checked_path
from artifacts.models import Artifact
from artifacts.querysets import artifact_at, artifacts_of
from artifacts.ranges import NotThere, Part, is_still, names, part_of
from artifacts.threads import in_thread
from problems import Invalid
from tasks.models import Task

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",  # its ETag says whether a copy is good
}
ATTEMPT = re.compile("[0-9]{1,18}", re.ASCII)


async def listing(request: Request, task: Task) -> Response:
    """All artifacts of the task, those of its last attempt first."""
    rows = await in_thread(partial(artifacts_of, task.pk))
    return Response({"artifacts": [ArtifactSerializer.shown(row) for row in rows]})


async def download(request: Request, task: Task, path: str) -> HttpResponseBase:
    """One artifact, or the part of it that `Range` asks for. `attempt` in the query: whose."""
    given = request.query_params.get("attempt", "")
    if given and not ATTEMPT.fullmatch(given):
        raise Invalid("attempt must be a whole number")
    path = path_in(path)
    row = await in_thread(partial(artifact_at, task.pk, path, int(given) if given else None))
    if row is None:
        raise ArtifactUnknown(f"The task has no artifact {path!r}.")
    return await file_of(request, row)


async def file_of(request: Request, row: Artifact) -> HttpResponseBase:
    """This artifact, or the part of it that `Range` asks for."""
    etag = f'"{row.sha256}"'
    head = {**SAFE, "ETag": etag, "Accept-Ranges": "bytes"}
    if names(request.headers.get("If-None-Match", ""), etag):
        return _bare(304, head)
    part = None
    if is_still(request.headers.get("If-Range", ""), etag):
        try:
            part = part_of(request.headers.get("Range", ""), row.size)
        except NotThere:
            return _bare(416, head | {"Content-Range": f"bytes */{row.size}"})
    if part is not None:
        head["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{row.size}"
    part, status = part or Part(0, row.size), 206 if part else 200
    head |= _named(row.path.rpartition("/")[2], row.content_type)
    head["Content-Length"] = str(part.end - part.start)
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=head)
    return StreamingHttpResponse(await _bytes_of(row, part), status=status, headers=head)


async def everything(request: Request, task: Task) -> HttpResponseBase:
    """All artifacts of the task as a ZIP archive, which is made while it is read."""
    rows = await in_thread(partial(artifacts_of, task.pk))
    if not rows:
        raise ArtifactUnknown("The task has no artifacts.")
    if not await store.current().exists(rows[0].key):  # an error, while there can be one
        raise ObjectLost
    head = {**SAFE, **_named(f"artifacts-{task.pk}.zip", "application/zip")}
    return StreamingHttpResponse(archive.archive_of(rows), headers=head)


def _bare(status: int, head: Mapping[str, str]) -> HttpResponse:
    """An answer without a body, which has no type."""
    response = HttpResponse(status=status, headers=head)
    del response["Content-Type"]
    return response


def path_in(segments: str) -> str:
    """The path of an artifact in that of a request, of which the server leaves %2F and %25."""
    return checked_path(unquote(segments, errors="surrogateescape"))


async def _bytes_of(row: Artifact, part: Part) -> AsyncIterator[bytes]:
    try:
        return await store.current().get(row.key, part.start, part.end)
    except ObjectMissing:
        raise ObjectLost from None


def _named(name: str, content_type: str) -> dict[str, str]:
    """Browsers save it under this name, and show nothing of it."""
    disposition = content_disposition_header(True, name) or "attachment"
    return {"Content-Type": content_type, "Content-Disposition": disposition}
