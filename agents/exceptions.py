"""Problems with an agent."""

from problems import Conflict, NotFound


class AgentUnknown(NotFound):
    """There is no agent with this id."""


class AgentReplaced(Conflict):
    """A newer process uses the id of this agent; this one is to stop, or to take another id."""

    code = "agent_replaced"


class AgentDraining(Conflict):
    """The agent is draining: it finishes its tasks and gets no more."""


class AgentLost(Conflict):
    """The agent is lost: it has been silent for too long to be given work."""

    code = "agent_lost"
