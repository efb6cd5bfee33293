"""What a runner says of the command that it runs, by the token of its lease."""

from pathlib import Path

from coordinator_client.call import Call, nothing, path, query
from coordinator_client.values import JSON, Object, WrongType, given


def task_secrets(
    task_id: str, *, agent_id: str, lease_epoch: int, token: str = ""
) -> Call[dict[str, str]]:
    """The values of the command's secrets, by name."""
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, "secrets"),
        body={"agent_id": agent_id, "lease_epoch": lease_epoch},
        read=secrets,
        token=token,
        repeatable=True,
    )


def secrets(body: JSON) -> dict[str, str]:
    found = body.get("secrets") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise WrongType("the answer has no secrets")
    return {name: str(value) for name, value in found.items()}


def send_log(task_id: str, body: bytes, *, token: str = "", seconds: float = 30) -> Call[int]:
    """Append a batch, encoded already so that a repeat is the same; gives the number accepted."""
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, "logs"),
        encoded=body,
        read=accepted_sequence,
        token=token,
        repeatable=False,  # its sender repeats it, for as long as the lease lasts
        seconds=seconds,
    )


def accepted_sequence(body: JSON) -> int:
    found = body.get("accepted_sequence") if isinstance(body, dict) else None
    if not isinstance(found, int):
        raise WrongType("the answer has no accepted_sequence")
    return found


def send_artifact(
    task_id: str,
    name: str,
    file: Path,
    *,
    size: int,
    sha256: str,
    agent_id: str,
    lease_epoch: int,
    token: str = "",
    seconds: float = 300,
) -> Call[None]:
    """Upload a file, streamed. The same file again changes nothing."""
    return Call(
        method="PUT",
        path=path("v1", "tasks", task_id, "artifacts", *name.split("/")),
        query=query(lease_epoch=lease_epoch, agent_id=agent_id),
        file=file,
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "X-Content-SHA256": sha256,
        },
        read=nothing,
        token=token,
        repeatable=True,
        seconds=seconds,
    )


def report_exit(
    task_id: str,
    *,
    agent_id: str,
    lease_epoch: int,
    status: str,
    exit_code: int | None,
    error: str = "",
    commit_sha: str = "",
    token: str = "",
) -> Call[None]:
    """Say how a command ended."""
    body: Object = {"exit_code": exit_code}
    body |= given(agent_id=agent_id, lease_epoch=lease_epoch, status=status)
    return Call(
        method="POST",
        path=path("v1", "tasks", task_id, "exit"),
        body=body | {"error": error, "commit_sha": commit_sha},
        read=nothing,
        token=token,
        repeatable=True,
    )
