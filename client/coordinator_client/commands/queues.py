"""`coordinator queue`."""

import typer

from coordinator_client import Coordinator
from coordinator_client.commands.output import AsJson, show_page

app = typer.Typer(no_args_is_help=True, help="Queues: what waits, and who is there for it.")
COLUMNS = ["name", "waiting", "running", "runners", "desired", "paused_at"]


@app.callback()
def queues() -> None:
    """Queues: what waits, and who is there for it."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List queues; `desired` is how many runners would be busy now."""
    with Coordinator() as client:
        show_page(client.queues(), as_json, COLUMNS, "queues")
