"""Tasks, for those who create and steer them."""

from coordinator_client.call import Call, one, path, whole
from coordinator_client.models import Page, Task, Why
from coordinator_client.pages import Filter, listing
from coordinator_client.values import JSON, Object, given


def task(task_id: str) -> Call[Task]:
    return Call(
        method="GET", path=path("v1", "tasks", task_id), read=one(Task, "task"), repeatable=True
    )


def tasks(**filters: Filter) -> Call[Page[Task]]:
    """A page of tasks, the oldest first; filters, `limit` and `cursor` as in `docs/api.md`."""
    return listing(Task, ("v1", "tasks"), "tasks", **filters)


def why(task_id: str) -> Call[Why]:
    return Call(
        method="GET", path=path("v1", "tasks", task_id, "why"), read=one(Why), repeatable=True
    )


def create_task(
    title: str,
    *,
    channel: str | None = None,
    channel_id: str | None = None,
    payload: Object | None = None,
    idempotency_key: str | None = None,
    **fields: JSON,
) -> Call[Task]:
    """Queue a task. With an idempotency key it may be sent again without a second task."""
    body = given(title=title, channel=channel, channel_id=channel_id, payload=payload, **fields)
    return Call(
        method="POST",
        path="/v1/tasks",
        body=body | given(idempotency_key=idempotency_key),
        read=one(Task, "task"),
        repeatable=idempotency_key is not None,
    )


def cancel_task(
    task_id: str, *, reason: str | None = None, force: bool | None = None
) -> Call[Task]:
    """Cancel a queued task at once; ask the agent of one in progress to stop."""
    return steer(task_id, "cancel", given(reason=reason, force=force), repeatable=True)


def requeue_task(task_id: str, *, reason: str | None = None) -> Call[Task]:
    return steer(task_id, "requeue", given(reason=reason))


def unlock_task(task_id: str, *, done: bool = False) -> Call[Task]:
    return steer(task_id, "status", {"status": "done" if done else "queued"})


def assign(task_id: str, agent_id: str) -> Call[Task]:
    return Call(
        method="POST",
        path="/v1/tasks/assign",
        body={"task_id": task_id, "agent_id": agent_id},
        read=one(Task, "task"),
        repeatable=True,
    )


def steer(task_id: str, verb: str, body: Object, *, repeatable: bool = False) -> Call[Task]:
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, verb),
        body=body,
        read=one(Task, "task"),
        repeatable=repeatable,
    )


def dead_letters(**filters: Filter) -> Call[Page[Task]]:
    return listing(Task, ("v1", "dead-letters"), "dead_letters", **filters)


def requeue_dead_letters(ids: list[str], *, reason: str) -> Call[JSON]:
    """Give these all their attempts again; those of an earlier request come back as refused."""
    names: list[JSON] = [*ids]
    return Call(
        method="POST",
        path="/v1/dead-letters/requeue",
        body={"ids": names, "reason": reason},
        read=whole,
        repeatable=True,
    )
