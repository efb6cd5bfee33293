"""Programs that run tasks: `Agent(channels=["builds"], handler=build).run()`."""

from coordinator_client.agent.agent import LEASE_SECONDS, Agent, AgentReplaced
from coordinator_client.agent.work import (
    NOTHING,
    Failed,
    Interrupted,
    Interruption,
    Outcome,
    Unsupported,
    Work,
    done,
    exited,
    failed,
    released,
)

__all__ = [
    "LEASE_SECONDS",
    "NOTHING",
    "Agent",
    "AgentReplaced",
    "Failed",
    "Interrupted",
    "Interruption",
    "Outcome",
    "Unsupported",
    "Work",
    "done",
    "exited",
    "failed",
    "released",
]
