"""Tokens, and how the coordinator is."""

from collections.abc import Sequence

from coordinator_client.call import Call, nothing, one, path, whole
from coordinator_client.models import Page, Token
from coordinator_client.pages import Filter, listing
from coordinator_client.values import JSON, given


def tokens(**filters: Filter) -> Call[Page[Token]]:
    return listing(Token, ("api", "v1", "tokens"), "tokens", **filters)


def create_token(
    name: str,
    *,
    role: str | None = None,
    agent_id: str | None = None,
    agent_prefix: str | None = None,
    channels: Sequence[str] | None = None,
    scopes: Sequence[str] | None = None,
    expires_at: str | None = None,
    user_id: str | None = None,
    reason: str | None = None,
) -> Call[Token]:
    """Issue a token. The token itself is in this answer and nowhere else.

    With `scopes` (read, sign, ops, keys) it is good for functions of these alone.
    """
    names: list[JSON] | None = [*channels] if channels else None
    limits: list[JSON] | None = [*scopes] if scopes else None
    body = given(
        name=name,
        role=role,
        agent_id=agent_id,
        agent_prefix=agent_prefix,
        channels=names,
        scopes=limits,
        expires_at=expires_at,
        user_id=user_id,
        reason=reason,
    )
    return Call(method="POST", path="/api/v1/tokens", body=body, read=one(Token))


def revoke_token(token_id: str) -> Call[None]:
    where = path("api", "v1", "tokens", token_id)
    return Call(method="DELETE", path=where, read=nothing, repeatable=True)


def health() -> Call[JSON]:
    return Call(method="GET", path="/health", read=whole, repeatable=True, seconds=5)


def dashboard() -> Call[JSON]:
    """Agents, open tasks, chains and counts, at most a second old."""
    return Call(method="GET", path="/v1/dashboard", read=whole, repeatable=True)
