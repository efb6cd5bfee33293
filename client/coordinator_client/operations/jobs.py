"""Jobs: commands with their logs and files, and sweeps with their results."""

from coordinator_client.call import Call, nothing, one, path, query, whole
from coordinator_client.models import (
    Artifact,
    Job,
    LogEntry,
    Page,
    Queue,
    Sweep,
    SweepResults,
)
from coordinator_client.pages import Filter, listing, page
from coordinator_client.values import JSON, Object, given

JOBS = ("api", "v1", "jobs")


def submit_job(
    name: str, job_command: str, *, idempotency_key: str | None = None, **fields: JSON
) -> Call[Job]:
    """Submit a command; the fields are those of `docs/commands.md`."""
    given_fields = given(**fields)
    return Call(
        method="POST",
        path=path(*JOBS),
        body={"source_type": "none", **given_fields, "name": name, "job_command": job_command},
        headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
        read=one(Job),
        repeatable=idempotency_key is not None,
    )


def jobs(**filters: Filter) -> Call[Page[Job]]:
    return listing(Job, JOBS, "jobs", **filters)


def job(job_id: str) -> Call[Job]:
    return Call(method="GET", path=path(*JOBS, job_id), read=one(Job), repeatable=True)


def cancel_job(job_id: str, *, reason: str | None = None) -> Call[Job]:
    return steer(job_id, "cancel", given(reason=reason))


def kill_job(job_id: str, *, reason: str | None = None) -> Call[Job]:
    return steer(job_id, "kill", given(reason=reason))


def retry_job(job_id: str, *, reason: str | None = None) -> Call[Job]:
    """A new job like it, where it has failed, was cancelled or took too long."""
    return steer(job_id, "retry", given(reason=reason))


def steer(job_id: str, verb: str, body: Object) -> Call[Job]:
    return Call(method="POST", path=path(*JOBS, job_id, verb), body=body, read=one(Job))


def delete_job(job_id: str) -> Call[None]:
    return Call(method="DELETE", path=path(*JOBS, job_id), read=nothing)


def job_logs(
    job_id: str, *, stream: str = "combined", limit: int = 1000, cursor: str | None = None
) -> Call[Page[LogEntry]]:
    """A page of the log. While the job runs there may always be a next one, even after none."""
    return Call(
        method="GET",
        path=path(*JOBS, job_id, "logs"),
        query=query(stream=stream, limit=limit, cursor=cursor, format="json"),
        read=page(LogEntry, "items"),
        repeatable=True,
    )


def job_artifacts(job_id: str) -> Call[Page[Artifact]]:
    return Call(
        method="GET",
        path=path(*JOBS, job_id, "artifacts"),
        read=page(Artifact, "artifacts"),
        repeatable=True,
    )


def queues() -> Call[Page[Queue]]:
    return listing(Queue, ("api", "v1", "queues"), "queues")


def submit_sweep(fields: Object, *, dry_run: bool = False) -> Call[JSON]:
    """Make a sweep of either form; the fields are those of `docs/sweeps.md`."""
    return Call(
        method="POST",
        path=path(*JOBS),
        query=query(dry_run=dry_run or None),
        body=fields,
        read=whole,
        repeatable=dry_run or not fields.keys().isdisjoint({"idempotencyKey", "idempotency_key"}),
    )


def sweep(job_id: str) -> Call[Sweep]:
    return Call(method="GET", path=path(*JOBS, job_id), read=one(Sweep), repeatable=True)


def sweep_results(job_id: str, **filters: Filter) -> Call[SweepResults]:
    return Call(
        method="GET",
        path=path(*JOBS, job_id, "results"),
        query=query(**filters),
        read=one(SweepResults),
        repeatable=True,
        seconds=120,
    )
