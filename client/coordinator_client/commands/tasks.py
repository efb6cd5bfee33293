"""`coordinator task`."""

from typing import Annotated
from uuid import uuid4

import typer

from coordinator_client import Coordinator
from coordinator_client.commands.inputs import json_object
from coordinator_client.commands.output import (
    AsJson,
    Cursor,
    Limit,
    print_json,
    say,
    show_page,
    show_why,
)
from coordinator_client.commands.output import show as show_one

app = typer.Typer(no_args_is_help=True, help="Tasks: units of work that agents claim.")
COLUMNS = ["id", "title", "status", "priority", "assigned_agent_id", "created_at"]
DETAILS = [
    *("id", "title", "status", "type", "priority", "channel_id", "chain_id", "sequence", "job_id"),
    *("attempts", "max_attempts", "assigned_agent_id", "lease_expires_at", "created_at"),
    *("finished_at", "fail_reason", "dead_letter", "payload", "result"),
]
Id = Annotated[str, typer.Argument(help="The task's id.")]


@app.command()
def add(
    title: str,
    channel: Annotated[str, typer.Option("--channel", "-c", help="The channel's name.")],
    payload: Annotated[str, typer.Option(help="JSON, @file, or - for standard input.")] = "{}",
    description: Annotated[str | None, typer.Option()] = None,
    priority: Annotated[int, typer.Option()] = 0,
    max_attempts: Annotated[int | None, typer.Option(min=1)] = None,
    chain: Annotated[str | None, typer.Option(help="The id of its chain.")] = None,
    key: Annotated[str | None, typer.Option(help="An idempotency key of your own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Queue a task."""
    with Coordinator() as client:
        task = client.create_task(
            title,
            channel=channel,
            payload=json_object(payload, "--payload"),
            description=description,
            priority=priority,
            max_attempts=max_attempts,
            chain_id=chain,
            idempotency_key=key or str(uuid4()),
        )
    print_json(task.raw) if as_json else say(task.id)


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="queued, in_progress, done, …")] = None,
    channel: Annotated[str | None, typer.Option("--channel", "-c")] = None,
    chain: Annotated[str | None, typer.Option()] = None,
    agent: Annotated[str | None, typer.Option()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, the oldest first."""
    with Coordinator() as client:
        channel_id = client.channel(channel).id if channel else None
        page = client.tasks(
            status=status,
            channel_id=channel_id,
            chain_id=chain,
            agent_id=agent,
            limit=limit,
            cursor=cursor,
        )
    show_page(page, as_json, COLUMNS, "tasks")


@app.command()
def show(task_id: Id, as_json: AsJson = False) -> None:
    """Show a task."""
    with Coordinator() as client:
        show_one(client.task(task_id), as_json, DETAILS)


@app.command()
def why(task_id: Id, as_json: AsJson = False) -> None:
    """Say why a task does not run, and what helps."""
    with Coordinator() as client:
        show_why(client.why(task_id), as_json)


@app.command()
def cancel(
    task_id: Id,
    reason: Annotated[str | None, typer.Option()] = None,
    force: Annotated[bool, typer.Option(help="Take it from its agent at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a task; the agent of one in progress is asked to stop."""
    with Coordinator() as client:
        task = client.cancel_task(task_id, reason=reason, force=force or None)
    print_json(task.raw) if as_json else say(task.status)
