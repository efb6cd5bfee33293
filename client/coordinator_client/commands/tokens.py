"""`coordinator token`."""

from typing import Annotated

import typer

from coordinator_client import Coordinator
from coordinator_client.commands.output import AsJson, print_json, say, show_page

app = typer.Typer(no_args_is_help=True, help="Tokens, for people, programs and agents.")
COLUMNS = ["token_id", "name", "role", "scopes", "agent_id", "ending", "is_active", "expires_at"]


@app.command()
def create(
    name: str,
    role: Annotated[str | None, typer.Option(help="user, support, operator or admin")] = None,
    agent: Annotated[str | None, typer.Option(help="For the agent with this id.")] = None,
    agent_prefix: Annotated[str | None, typer.Option(help="For agents whose ids begin so.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only for this channel.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Only for functions of this scope: read, sign, ops, keys."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="The id of the user whose it is.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends, as RFC 3339.")] = None,
    as_json: AsJson = False,
) -> None:
    """Issue a token and print it. It is shown this once."""
    with Coordinator() as client:
        token = client.create_token(
            name,
            role=role,
            agent_id=agent,
            agent_prefix=agent_prefix,
            channels=channel,
            scopes=scope,
            user_id=user,
            expires_at=expires,
        )
    print_json(token.raw) if as_json else say(token.token)


@app.command("list")
def list_(
    everybody: Annotated[bool, typer.Option("--all", help="For administrators.")] = False,
    as_json: AsJson = False,
) -> None:
    """List tokens, the newest first; never the tokens themselves."""
    with Coordinator() as client:
        page = client.tokens(all=everybody or None)
    show_page(page, as_json, COLUMNS, "tokens")


@app.command()
def revoke(token_id: str) -> None:
    """Revoke a token."""
    with Coordinator() as client:
        client.revoke_token(token_id)
