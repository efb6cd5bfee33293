"""Files of jobs as objects of a bucket: `<job id>/<name>`, also with a date before it."""

import re
from uuid import UUID

from artifacts.keys import checked_path
from artifacts.models import Artifact
from artifacts.querysets import artifact_at
from collab.models import CollabJob
from problems import NotFound
from tasks.models import Task

BUCKET = "artifacts"
PATH = re.compile(
    r"(?:[0-9]{4}/(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9]|3[01])/)?"
    r"(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<name>.+)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)


class ObjectUnknown(NotFound):
    """There is no such object."""


def job_at(bucket: str, path: str) -> tuple[Task, str]:
    """The job whose file is meant, of which not all may be read, and the name of the file.

    Raises ObjectUnknown, or BadPath for what is no path at all.
    """
    found = PATH.fullmatch(checked_path(path))
    if bucket != BUCKET or found is None:
        raise ObjectUnknown
    job = CollabJob.objects.of_collab().only("user").filter(pk=UUID(found["job"])).first()
    if job is None:
        raise ObjectUnknown
    return job, found["name"]


def file_of(job: Task, name: str) -> Artifact:
    """The file of this name as the job's last attempt has sent it. Raises ObjectUnknown."""
    row = artifact_at(job.pk, name)
    if row is None:
        raise ObjectUnknown
    return row


def file_at(bucket: str, path: str) -> Artifact:
    """The file at this path. Raises ObjectUnknown."""
    return file_of(*job_at(bucket, path))
