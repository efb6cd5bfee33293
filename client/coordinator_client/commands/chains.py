"""`coordinator chain`."""

from typing import Annotated

import typer

from coordinator_client import Coordinator
from coordinator_client.commands import tasks
from coordinator_client.commands.output import (
    AsJson,
    Cursor,
    Limit,
    print_json,
    say,
    show_page,
    table,
)
from coordinator_client.commands.output import show as show_one
from coordinator_client.values import JSON

app = typer.Typer(no_args_is_help=True, help="Chains: tasks in order, owned by one agent.")
COLUMNS = ["id", "name", "status", "owner_agent_id", "on_failure", "created_at"]
Id = Annotated[str, typer.Argument(help="The chain's id.")]


@app.command()
def add(
    name: str,
    channel: Annotated[str, typer.Option("--channel", "-c", help="The channel's name.")],
    description: Annotated[str | None, typer.Option()] = None,
    on_failure: Annotated[str | None, typer.Option(help="continue or stop")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a chain; tasks are added to it by `task add --chain`."""
    with Coordinator() as client:
        channel_id = client.channel(channel).id
        chain = client.create_chain(
            channel_id, name, description=description, on_failure=on_failure
        )
    print_json(chain.raw) if as_json else say(chain.id)


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option()] = None,
    agent: Annotated[str | None, typer.Option(help="The id of its owner.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List chains, the oldest first."""
    with Coordinator() as client:
        page = client.chains(status=status, agent_id=agent, limit=limit, cursor=cursor)
    show_page(page, as_json, COLUMNS, "chains")


@app.command()
def show(chain_id: Id, as_json: AsJson = False) -> None:
    """Show a chain and its first tasks."""
    with Coordinator() as client:
        chain = client.chain(chain_id)
        page = client.tasks(chain_id=chain_id, limit=100)
    if as_json:
        listed: list[JSON] = [task.raw for task in page.items]
        print_json({"chain": chain.raw, "tasks": listed})
        return
    show_one(chain, False, [*COLUMNS, "description"])
    table([task.raw for task in page.items], ["sequence", *tasks.COLUMNS])


@app.command()
def detach(
    chain_id: Id,
    agent: Annotated[str, typer.Option(help="The id of its owner.")],
    as_json: AsJson = False,
) -> None:
    """End an agent's ownership; a task in progress becomes locked."""
    with Coordinator() as client:
        client.detach_chain(chain_id, agent)
        chain = client.chain(chain_id)
    print_json(chain.raw) if as_json else say(chain.status)


@app.command()
def assign(chain_id: Id, agent: Annotated[str, typer.Option()], as_json: AsJson = False) -> None:
    """Give a chain to an agent."""
    with Coordinator() as client:
        chain = client.assign_chain(chain_id, agent)
    print_json(chain.raw) if as_json else say(chain.status)


@app.command()
def delete(chain_id: Id) -> None:
    """Delete a chain with its tasks."""
    with Coordinator() as client:
        client.delete_chain(chain_id)
