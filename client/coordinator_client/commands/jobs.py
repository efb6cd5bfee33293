"""`coordinator job`."""

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated
from uuid import uuid4

import typer

from coordinator_client import Coordinator
from coordinator_client.commands.inputs import pairs
from coordinator_client.commands.output import (
    FAILED,
    AsJson,
    Cursor,
    Limit,
    complain,
    note,
    print_json,
    reasons,
    say,
    show_page,
    show_why,
)
from coordinator_client.commands.output import show as show_one
from coordinator_client.errors import NotFound, Refused
from coordinator_client.models import Job, LogEntry
from coordinator_client.values import JSON, Object

app = typer.Typer(no_args_is_help=True, help="Jobs that run a command, with its source.")
COLUMNS = ["job_id", "name", "status", "exit_code", "queue_name", "worker_id", "created_at"]
DETAILS = [
    *("job_id", "name", "description", "status", "exit_code", "last_error", "queue_name"),
    *("source_type", "git_url", "git_ref", "commit_sha", "source_path", "job_command"),
    *("runner_image", "job_env_vars", "requires", "timeout_seconds", "priority", "worker_id"),
    *("task_id", "parent_job_id", "retry_count", "created_at", "started_at", "completed_at"),
]
Id = Annotated[str, typer.Argument(help="The job's id.")]
SECONDS = 1.0
PATIENCE = 5.0
WAITING = {"submitted", "queued"}


@app.command()
def submit(
    command: Annotated[str, typer.Argument(help="Given to sh -c.")],
    name: Annotated[str | None, typer.Option(help="By default the command's first line.")] = None,
    git: Annotated[str | None, typer.Option(help="The URL of a repository.")] = None,
    ref: Annotated[str | None, typer.Option(help="A branch, a tag or a commit.")] = None,
    copy: Annotated[str | None, typer.Option(help="A folder of the runner's machine.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q")] = None,
    image: Annotated[str | None, typer.Option(help="The image to run in.")] = None,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE")] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="The NAME of a variable of yours: its value is secret.")
    ] = None,
    env_file: Annotated[str | None, typer.Option(help="In the source: ./job/…")] = None,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE a runner must offer.")] = None,
    directory: Annotated[str | None, typer.Option(help="Where it runs, below /job.")] = None,
    timeout: Annotated[int | None, typer.Option(min=1, help="Seconds.")] = None,
    priority: Annotated[int | None, typer.Option()] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=10)] = None,
    key: Annotated[str | None, typer.Option(help="An idempotency key of your own.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait; exit code 1 if it does not complete.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait, showing its log.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a command and print the job's id.

    With --wait or --follow the id is on the standard error, then why it waits if it does.
    """
    if git and copy:
        raise typer.BadParameter("the source is either --git or --copy", param_hint="--copy")
    if ref and not git:
        raise typer.BadParameter("it is of a repository: name that by --git", param_hint="--ref")
    secrets = {name: from_environment(name) for name in secret or ()}
    variables: Object = {**pairs(env, "--env"), **secrets}
    secret_names: list[JSON] = [*secrets]
    labels: Object = {**pairs(label, "--label")}
    with Coordinator() as client:
        job = client.submit_job(
            name or command.strip().partition("\n")[0][:200],
            command,
            idempotency_key=key or str(uuid4()),
            source_type="git" if git else "copy" if copy else "none",
            git_url=git,
            git_ref=ref,
            source_path=copy,
            queue_name=queue,
            runner_image=image,
            job_env_vars=variables or None,
            job_env_secrets=secret_names or None,
            job_env_file=env_file,
            requires=labels or None,
            job_dir=directory,
            timeout_seconds=timeout,
            priority=priority,
            max_attempts=max_attempts,
        )
        if wait or follow:
            note(f"{job.job_id} {job.status}")
            explain(client, job)
        if follow and not as_json:
            for entry in client.follow_job_logs(job.job_id):
                print_entry(entry)
        if wait or follow:
            job = until_ended(client, job)
    if as_json:
        print_json(job.raw)
    else:
        say(f"{job.job_id} {job.status}" if wait or follow else job.job_id)
    if (wait or follow) and job.status != "completed":
        complain(job.last_error or f"the job is {job.status}")
        raise typer.Exit(FAILED)


def explain(client: Coordinator, job: Job) -> None:
    """Say once why a job waits, if it still does after some seconds."""
    end = time.monotonic() + PATIENCE
    while job.status in WAITING and time.monotonic() < end:
        time.sleep(SECONDS / 2)
        job = client.job(job.job_id)
    if job.status in WAITING and job.task_id:
        with suppress(Refused):  # it may end, or be another's, meanwhile
            for line in reasons(client.why(job.task_id))[:1]:  # what to put right first
                note(f"It waits: {line}")


def from_environment(name: str) -> str:
    if "=" in name:
        raise typer.BadParameter(
            "only the name of a variable, whose value is taken from the environment",
            param_hint="--secret",
        )
    if name not in os.environ:
        raise typer.BadParameter(f"there is no variable {name}", param_hint="--secret")
    return os.environ[name]


def until_ended(client: Coordinator, job: Job) -> Job:
    while not job.has_ended:
        time.sleep(SECONDS)
        job = client.job(job.job_id)
    return job


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option()] = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    with Coordinator() as client:
        page = client.jobs(
            kind="command", status=status, queue_name=queue, limit=limit, cursor=cursor
        )
    show_page(page, as_json, COLUMNS, "jobs")


@app.command()
def show(job_id: Id, as_json: AsJson = False) -> None:
    """Show a job."""
    with Coordinator() as client:
        show_one(client.job(job_id), as_json, DETAILS)


@app.command()
def why(job_id: Id, as_json: AsJson = False) -> None:
    """Say why a job does not run, and what helps."""
    with Coordinator() as client:
        show_why(client.why(client.job(job_id).task_id), as_json)


@app.command()
def logs(
    job_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it has ended.")] = False,
    stream: Annotated[str, typer.Option(help="stdout, stderr or combined")] = "combined",
    as_json: AsJson = False,
) -> None:
    """Print the log; with --json, an object on each line."""
    with Coordinator() as client:
        if follow:
            for entry in client.follow_job_logs(job_id, stream=stream):
                print_entry(entry, as_json)
            return
        cursor: str | None = None
        while True:
            page = client.job_logs(job_id, stream=stream, cursor=cursor)
            for entry in page.items:
                print_entry(entry, as_json)
            if not page.next_cursor or not page.items:
                return
            cursor = page.next_cursor


def print_entry(entry: LogEntry, as_json: bool = False) -> None:
    if as_json:
        say(json.dumps(entry.raw, ensure_ascii=False))
        return
    output = sys.stderr if entry.stream == "stderr" else sys.stdout
    output.write(f"{entry.message}\n")
    output.flush()


@app.command()
def cancel(job_id: Id, as_json: AsJson = False) -> None:
    """Cancel a job; one that runs is asked to stop."""
    with Coordinator() as client:
        show_steered(client.cancel_job(job_id), as_json)


@app.command()
def kill(job_id: Id, as_json: AsJson = False) -> None:
    """Cancel a job now, without asking it; for administrators."""
    with Coordinator() as client:
        show_steered(client.kill_job(job_id), as_json)


@app.command()
def retry(job_id: Id, as_json: AsJson = False) -> None:
    """Submit a job again that failed, was cancelled or took too long."""
    with Coordinator() as client:
        job = client.retry_job(job_id)
    print_json(job.raw) if as_json else say(job.job_id)


def show_steered(job: Job, as_json: bool) -> None:
    print_json(job.raw) if as_json else say(job.status)


@app.command()
def artifacts(
    job_id: Id,
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    download: Annotated[
        Path | None, typer.Option(file_okay=False, help="The folder to put them into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the files that a job has left, or download them."""
    with Coordinator() as client:
        page = client.job_artifacts(job_id)
        if missing := set(names or ()) - {one.path for one in page.items}:
            raise NotFound(404, "not_found", f"the job has no file {', '.join(sorted(missing))}")
        if names:
            page = replace(page, items=[one for one in page.items if one.path in names])
        if download is None:
            show_page(page, as_json, ["path", "size", "sha256", "attempt", "lost"], "artifacts")
            return
        # Of a path that several attempts have sent, there is the last one.
        found = dict.fromkeys(one.path for one in page.items)
        paths: list[JSON] = [str(fetch(client, job_id, path, download)) for path in found]
    if as_json:
        print_json({"downloaded": paths})
        return
    for path in paths:
        say(str(path))


def fetch(client: Coordinator, job_id: str, name: str, folder: Path) -> Path:
    """Its path must stay in the folder, whatever the coordinator says."""
    inner = PurePosixPath(name)
    if inner.is_absolute() or ".." in inner.parts:
        raise typer.BadParameter(f"{name} would be outside of {folder}")
    target = folder / inner
    target.parent.mkdir(parents=True, exist_ok=True)
    return client.download_job_artifact(job_id, name, target)
