"""What can be wrong with an agent."""

from problems import Conflict, NotFound


class AgentUnknown(NotFound):
    """There is no agent of this id."""


class AgentDraining(Conflict):
    """The agent finishes what it has and takes no more work."""


class AgentLost(Conflict):
    """The agent has not been heard of for too long to be given work."""
