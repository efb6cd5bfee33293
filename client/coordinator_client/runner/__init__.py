"""Runs commands: their source is checked out, their log and files are sent, their end reported."""

from coordinator_client.runner.executors import Limits
from coordinator_client.runner.runner import DEFAULT_QUEUE, Runner

__all__ = ["DEFAULT_QUEUE", "Limits", "Runner"]
