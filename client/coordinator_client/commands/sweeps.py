"""`coordinator sweep`."""

from typing import Annotated

import typer

from coordinator_client import Coordinator
from coordinator_client.commands.inputs import json_object
from coordinator_client.commands.output import AsJson, Cursor, Limit, print_json, say, table
from coordinator_client.commands.output import show as show_one

app = typer.Typer(no_args_is_help=True, help="Sweeps: one program over a grid of parameters.")
DETAILS = [
    *("jobId", "name", "status", "totalTasks", "completedTasks", "failedTasks", "cancelledTasks"),
    *("runningTasks", "pendingTasks", "progress", "estimatedSecondsLeft", "createdAt"),
]
RESULTS = ["taskId", "status", "algorithm", "function", "fopt", "runtimeMs", "assignedTo"]


@app.command()
def submit(
    specification: Annotated[str, typer.Argument(help="JSON, @file, or - for standard input.")],
    dry_run: Annotated[bool, typer.Option(help="Only say what it would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a sweep, as docs/sweeps.md describes it."""
    with Coordinator() as client:
        found = client.submit_sweep(json_object(specification, "SPECIFICATION"), dry_run=dry_run)
    if as_json or not isinstance(found, dict):
        print_json(found)
    else:
        say(str(found.get("jobId") or f"{found.get('totalTasks')} tasks"))


@app.command()
def show(sweep_id: str, as_json: AsJson = False) -> None:
    """Show a sweep."""
    with Coordinator() as client:
        show_one(client.sweep(sweep_id), as_json, DETAILS)


@app.command()
def results(
    sweep_id: str,
    sort: Annotated[str, typer.Option(help="fopt, runtimeMs, …; -fopt descends")] = "fopt",
    failed: Annotated[bool, typer.Option(help="Failed tasks too.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Show results, the best first."""
    with Coordinator() as client:
        found = client.sweep_results(
            sweep_id, sort=sort, failed=failed or None, limit=limit, cursor=cursor
        )
    print_json(found.raw) if as_json else table(found.results, RESULTS)
