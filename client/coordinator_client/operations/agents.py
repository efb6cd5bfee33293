"""What agents say: heartbeats, claims, reports, renewals."""

from collections.abc import Sequence

from coordinator_client.call import SECONDS, Call, member, one, path, query
from coordinator_client.models import Agent, Beat, Page, Renewal, Reported, Task
from coordinator_client.pages import Filter, listing
from coordinator_client.values import JSON, Object, decode, given


def heartbeat(
    agent_id: str,
    *,
    incarnation: str | None = None,
    status: str | None = None,
    name: str | None = None,
    capabilities: Object | None = None,
    capacity: int | None = None,
    channels: Sequence[str] | None = None,
    tasks: Sequence[tuple[str, int]] | None = None,
    seconds: float = SECONDS,
    repeatable: bool = True,
) -> Call[Beat]:
    """Say that the agent is present, and renew the leases of `tasks` (ids and their epochs).

    `channels`: those that it works for.
    """
    listed: list[JSON] | None = None
    if tasks is not None:
        listed = [{"id": task_id, "lease_epoch": epoch} for task_id, epoch in tasks]
    body = given(
        agent_id=agent_id,
        incarnation=incarnation,
        status=status,
        name=name,
        capabilities=capabilities,
        capacity=capacity,
        meta=None if channels is None else {"subscriptions": list(channels)},
        tasks=listed,
    )
    return Call(
        method="POST",
        path="/v1/agents/heartbeat",
        body=body,
        read=one(Beat),
        repeatable=repeatable,
        seconds=seconds,
    )


def claim(
    agent_id: str,
    channels: Sequence[str],
    *,
    max_tasks: int = 1,
    lease_seconds: int | None = None,
    wait_seconds: float = 0,
    idempotency_key: str | None = None,
    incarnation: str | None = None,
) -> Call[list[Task]]:
    """Take up to `max_tasks` tasks, waiting for the first up to `wait_seconds`."""
    names: list[JSON] = [*channels]
    body = given(
        agent_id=agent_id,
        channels=names,
        max_tasks=max_tasks,
        lease_seconds=lease_seconds,
        idempotency_key=idempotency_key,
        incarnation=incarnation,
    )
    return Call(
        method="POST",
        path="/v1/tasks/claim",
        query=query(wait_seconds=wait_seconds) if wait_seconds else {},
        body=body,
        read=claimed,
        repeatable=idempotency_key is not None,
        seconds=SECONDS + wait_seconds,
    )


def claimed(body: JSON) -> list[Task]:
    """The tasks; a runner's lease tokens may stand beside each."""
    found = member(body, "tasks")
    return [decode(Task, item) for item in found] if isinstance(found, list) else []


def complete(
    task_id: str, *, agent_id: str, lease_epoch: int | None = None, result: JSON = None
) -> Call[Task]:
    body = given(task_id=task_id, agent_id=agent_id, lease_epoch=lease_epoch, result=result)
    return outcome("complete", body)


def fail(
    task_id: str,
    *,
    agent_id: str,
    lease_epoch: int | None = None,
    reason: str = "",
    retriable: bool = False,
    unsupported: bool = False,
) -> Call[Task]:
    body = given(
        task_id=task_id,
        agent_id=agent_id,
        lease_epoch=lease_epoch,
        reason=reason,
        retriable=retriable,
        unsupported=unsupported or None,
    )
    return outcome("fail", body)


def outcome(verb: str, body: Object) -> Call[Task]:
    return Call(
        method="POST",
        path=path("v1", "tasks", verb),
        body=body,
        read=one(Task, "task"),
        repeatable="lease_epoch" in body,
    )


def report(
    agent_id: str, outcomes: Sequence[Object], *, claim: Object | None = None
) -> Call[Reported]:
    """Report several outcomes, and claim the next tasks, in one transaction."""
    listed: list[JSON] = [*outcomes]
    fenced = all("lease_epoch" in item for item in outcomes)
    return Call(
        method="POST",
        path="/v1/tasks/report",
        body=given(agent_id=agent_id, outcomes=listed, claim=claim),
        read=one(Reported),
        repeatable=fenced and (claim is None or "idempotency_key" in claim),
    )


def renew(
    task_id: str, *, agent_id: str, lease_epoch: int, lease_seconds: int | None = None
) -> Call[Renewal]:
    body = given(agent_id=agent_id, lease_epoch=lease_epoch, lease_seconds=lease_seconds)
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, "renew"),
        body=body,
        read=one(Renewal),
        repeatable=True,
    )


def release(
    task_id: str, *, agent_id: str, lease_epoch: int | None = None, reason: str = ""
) -> Call[Task]:
    """Give a task back undone; it uses no attempt."""
    body = given(agent_id=agent_id, lease_epoch=lease_epoch, reason=reason)
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, "release"),
        body=body,
        read=one(Task, "task"),
        repeatable=True,
    )


def post_event(
    agent_id: str,
    type: str,  # noqa: A002  (the API's name)
    *,
    task_id: str | None = None,
    payload: Object | None = None,
    idempotency_key: str | None = None,
) -> Call[None]:
    body = given(agent_id=agent_id, type=type, task_id=task_id, payload=payload)
    return Call(
        method="POST",
        path="/v1/events",
        body=body | given(idempotency_key=idempotency_key),
        read=lambda _: None,
        repeatable=idempotency_key is not None,
    )


def agents(**filters: Filter) -> Call[Page[Agent]]:
    return listing(Agent, ("v1", "agents"), "agents", **filters)


def agent(agent_id: str) -> Call[Agent]:
    where = path("v1", "agents", agent_id)
    return Call(method="GET", path=where, read=one(Agent, "agent"), repeatable=True)


def drain_agent(agent_id: str, *, reason: str | None = None) -> Call[Agent]:
    """It keeps its tasks and gets no more."""
    return steer(agent_id, "drain", reason)


def resume_agent(agent_id: str, *, reason: str | None = None) -> Call[Agent]:
    return steer(agent_id, "resume", reason)


def steer(agent_id: str, verb: str, reason: str | None) -> Call[Agent]:
    return Call(
        method="POST",
        path=path("v1", "agents", agent_id, verb),
        body=given(reason=reason),
        read=one(Agent, "agent"),
        repeatable=True,
    )
