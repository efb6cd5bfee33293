"""`coordinator status`."""

import sys
import time
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from coordinator_client import Coordinator
from coordinator_client.commands.output import WIDEST, AsJson, cell, print_json, table_of
from coordinator_client.commands.queues import COLUMNS
from coordinator_client.errors import CoordinatorError, Unreachable
from coordinator_client.values import JSON, Object

AGENTS = ["id", "status", "worker_status", "current_task_id", "last_seen", "draining"]
MOST = 20


def status(
    once: Annotated[bool, typer.Option(help="Print it once.")] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Show tasks, queues and agents, live."""
    with Coordinator(patience=5) as client:
        found = look(client)
        if as_json:
            print_json(found)
        elif once or not sys.stdout.isatty():
            Console(highlight=False, width=WIDEST).print(drawn(found, client.config.url))
        else:
            keep_showing(client, found, interval)


def keep_showing(client: Coordinator, found: Object, interval: float) -> None:
    problem = ""
    with Live(drawn(found, client.config.url), auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            try:
                found, problem = look(client), ""
            except Unreachable as error:
                problem = str(error)
            live.update(drawn(found, problem or client.config.url), refresh=True)


def look(client: Coordinator) -> Object:
    board = client.dashboard()
    if not isinstance(board, dict):
        return {}
    try:
        queues: list[JSON] = [queue.raw for queue in client.queues().items]
    except CoordinatorError:
        queues = []  # who may see the board may not see these
    return {"counts": board.get("counts"), "agents": board.get("agents"), "queues": queues}


def drawn(found: Object, title: str) -> Group:
    counts = found.get("counts")
    line = cell(counts).strip("{}").replace('"', "") if counts else "no tasks"
    return Group(
        Text(title, style="bold"),
        Text(f"tasks: {line}"),
        table_of(rows(found, "queues"), COLUMNS, "queues"),
        table_of(rows(found, "agents")[:MOST], AGENTS, "agents"),
    )


def rows(found: Object, name: str) -> list[Object]:
    listed = found.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
