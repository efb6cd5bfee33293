"""Problems with a chain."""

from problems import Conflict, Invalid, NotFound


class ChainUnknown(NotFound):
    """There is no chain with this id."""


class ChainIdUnknown(Invalid):
    """A new task names a chain that does not exist (400, as seed 000's clients expect)."""


class NoChain(NotFound):
    """The agent owns no chain."""

    code = "no_chain"


class NotOwner(Conflict):
    """The chain is not owned by this agent."""

    code = "not_owner"


class NotSubscribed(Conflict):
    """The agent is not subscribed to the chain's channel."""

    code = "agent_not_subscribed_channel"


class ChainInUse(Conflict):
    """A task of the chain is in progress or locked."""


class NotAssignable(Conflict):
    """The chain cannot be assigned to this agent now."""


class StatusFollows(Conflict):
    """A chain's status follows from its tasks and owner; it cannot be set."""
