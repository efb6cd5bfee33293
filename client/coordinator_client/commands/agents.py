"""`coordinator agent`."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import stamina.instrumentation
import typer

from coordinator_client.agent import LEASE_SECONDS, Agent
from coordinator_client.clients import Coordinator
from coordinator_client.commands.inputs import lists
from coordinator_client.commands.output import AsJson, Cursor, Limit, show_page
from coordinator_client.runner import DEFAULT_QUEUE, Limits, Runner
from coordinator_client.runner.programs import Program

app = typer.Typer(no_args_is_help=True, help="Agents: who runs tasks.")
COLUMNS = ["id", "status", "worker_status", "current_task_id", "last_seen", "draining"]
FORMAT = "%(asctime)s %(levelname)s %(message)s"


@app.command()
def run(
    queue: Annotated[
        list[str] | None, typer.Option("--queue", "-q", help="Of this queue; may be repeated.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=50, help="How many at once.")] = 1,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE that this offers.")] = None,
    ignore_images: Annotated[
        bool, typer.Option(help="Take jobs with images, and run them without.")
    ] = False,
    command: Annotated[
        str | None, typer.Option("--exec", help="A shell command for every task, of any type.")
    ] = None,
    agent_id: Annotated[str | None, typer.Option(help="By default of this machine.")] = None,
    lease_seconds: Annotated[
        int, typer.Option(min=1, help="After so long without a heartbeat others may have it.")
    ] = LEASE_SECONDS,
    drain_seconds: Annotated[float, typer.Option(min=0, help="To finish, when stopped.")] = 300,
    network: Annotated[str, typer.Option(help="Of containers.")] = "bridge",
    memory: Annotated[str, typer.Option(help="Of each container.")] = "2g",
    cpus: Annotated[str, typer.Option(help="Of each container.")] = "2",
    state: Annotated[Path | None, typer.Option(help="The folder of its state.")] = None,
) -> None:
    """Run tasks until stopped. Without --exec: the commands of jobs.

    Commands run as processes of this user, which is no isolation: run only those that you trust.
    """
    logging.basicConfig(level=logging.INFO, format=FORMAT, stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    stamina.instrumentation.set_on_retry_hooks([])  # agents log what they wait for
    queues, labels = queue or [DEFAULT_QUEUE], lists(label, "--label")
    if command:
        Agent(
            queues,
            Program(command),
            agent_id=agent_id,
            concurrency=concurrency,
            offers=labels,
            lease_seconds=lease_seconds,
            drain_seconds=drain_seconds,
            grace_seconds=15,
            state_folder=state,
        ).run()
        return
    Runner(
        queues,
        agent_id=agent_id,
        concurrency=concurrency,
        labels=labels,
        ignore_images=ignore_images,
        limits=Limits(network=network, memory=memory, cpus=cpus),
        lease_seconds=lease_seconds,
        drain_seconds=drain_seconds,
        state_folder=state,
    ).run()


@app.command("list")
def list_(
    online: Annotated[bool | None, typer.Option(help="Only those that are, or are not.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List agents, the last seen first."""
    with Coordinator() as client:
        page = client.agents(online=online, limit=limit, cursor=cursor)
    show_page(page, as_json, COLUMNS, "agents")
