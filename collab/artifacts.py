"""The artifacts of a job: references that its result names, and the files that its task has."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from artifacts.models import Artifact
from artifacts.querysets import artifacts_of
from collab.models import CollabJob


@dataclass(frozen=True, slots=True)
class JobArtifact:
    """One artifact of a job. Its id follows from job, lease and name."""

    id: UUID
    job_id: UUID
    name: str
    mime: str | None
    size: int | None
    sha256: str | None
    url: str | None
    created_at: datetime


def of(job: CollabJob) -> list[JobArtifact]:
    """The references in the order in which they were named, then the files, the latest first."""
    return [*_references(job), *(_file(job, row) for row in artifacts_of(job.pk))]


def _references(job: CollabJob) -> list[JobArtifact]:
    result: Any = job.result
    named = result.get("artifacts") if isinstance(result, dict) else None
    return [
        JobArtifact(
            id=uuid5(job.pk, f"reference/{one['name']}"),
            job_id=job.pk,
            name=one["name"],
            mime=_text(one.get("mime")),
            size=one["size"] if isinstance(one.get("size"), int) else None,
            sha256=_text(one.get("sha256")),
            url=_text(one.get("url")),
            created_at=job.finished_at or job.updated_at,
        )
        for one in (named if isinstance(named, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def _file(job: CollabJob, row: Artifact) -> JobArtifact:
    return JobArtifact(
        id=uuid5(job.pk, f"{row.epoch}/{row.path}"),
        job_id=job.pk,
        name=row.path,
        mime=row.content_type,
        size=row.size,
        sha256=row.sha256,
        url=f"/v1/tasks/{job.pk}/artifacts/{quote(row.path)}?attempt={row.epoch}",
        created_at=row.created_at,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
