"""The commands, put together."""

import os
from typing import Annotated

import stamina.instrumentation
import typer

from coordinator_client import __version__
from coordinator_client.commands import agents, chains, jobs, queues, status, sweeps, tasks, tokens
from coordinator_client.commands.output import note

EPILOG = "Exit codes: 0 ok, 1 the job failed, 2 usage, 3 not found, 4 refused, 5 unreachable."

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Work for fleets of agents: submit it, watch it, run it.",
    epilog=EPILOG,
)
app.add_typer(agents.app, name="agent")
app.add_typer(tasks.app, name="task")
app.add_typer(chains.app, name="chain")
app.add_typer(jobs.app, name="job")
app.add_typer(sweeps.app, name="sweep")
app.add_typer(queues.app, name="queue")
app.add_typer(tokens.app, name="token")
app.command("status")(status.status)


def announce_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Nobody has to wonder in silence; the error follows if it stays so."""
    if details.retry_num == 1:
        note(f"{details.caused_by}; trying again")


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coordinator {__version__}")
        raise typer.Exit


@app.callback()
def options(
    url: Annotated[
        str | None, typer.Option(help="Where the coordinator is; else COORDINATOR_URL.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Say which it is.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """The credential is COORDINATOR_TOKEN, or in ~/.config/coordinator/config.toml."""
    if url:
        os.environ["COORDINATOR_URL"] = url
    stamina.instrumentation.set_on_retry_hooks([announce_retry])
