"""Chains: tasks in order, owned by one agent."""

from coordinator_client.call import Call, nothing, one, path
from coordinator_client.models import Chain, Page
from coordinator_client.pages import Filter, listing
from coordinator_client.values import given


def chains(**filters: Filter) -> Call[Page[Chain]]:
    return listing(Chain, ("v1", "chains"), "chains", **filters)


def chain(chain_id: str) -> Call[Chain]:
    where = path("v1", "chains", chain_id)
    return Call(method="GET", path=where, read=one(Chain, "chain"), repeatable=True)


def create_chain(
    channel_id: str, name: str, *, description: str | None = None, on_failure: str | None = None
) -> Call[Chain]:
    body = given(channel_id=channel_id, name=name, description=description, on_failure=on_failure)
    return Call(method="POST", path="/v1/chains", body=body, read=one(Chain, "chain"))


def edit_chain(
    chain_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    on_failure: str | None = None,
) -> Call[Chain]:
    return Call(
        method="PUT",
        path=path("v1", "chains", chain_id),
        body=given(name=name, description=description, on_failure=on_failure),
        read=one(Chain, "chain"),
        repeatable=True,
    )


def delete_chain(chain_id: str) -> Call[None]:
    """Delete it with its tasks."""
    return Call(method="DELETE", path=path("v1", "chains", chain_id), read=nothing)


def detach_chain(chain_id: str, agent_id: str) -> Call[None]:
    """End the ownership of `agent_id`; a task of it in progress becomes locked."""
    return Call(
        method="POST",
        path=path("v1", "chains", chain_id, "detach"),
        body={"agent_id": agent_id},
        read=nothing,
    )


def assign_chain(chain_id: str, agent_id: str) -> Call[Chain]:
    return Call(
        method="POST",
        path=path("v1", "chains", chain_id, "assign-agent"),
        body={"agent_id": agent_id},
        read=one(Chain, "chain"),
        repeatable=True,
    )
