"""The client of Coordinator: it hands out work over HTTP; this is who asks and who does it."""

from coordinator_client.agent import Agent, Failed, Interrupted, Unsupported, Work
from coordinator_client.clients import AsyncCoordinator, Coordinator
from coordinator_client.errors import (
    BadAnswer,
    BadRequest,
    Conflict,
    CoordinatorError,
    Misconfigured,
    NotAllowed,
    NotFound,
    Refused,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AsyncCoordinator",
    "BadAnswer",
    "BadRequest",
    "Conflict",
    "Coordinator",
    "CoordinatorError",
    "Failed",
    "Interrupted",
    "Misconfigured",
    "NotAllowed",
    "NotFound",
    "Refused",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Unsupported",
    "Work",
]
