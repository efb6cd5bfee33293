"""Problems with a task, a claim or a report."""

from problems import Conflict, Invalid, NotFound


class TaskUnknown(NotFound):
    """There is no task with this id."""


class ChannelUnknown(NotFound):
    """There is no channel with this id or name."""


class ChannelExists(Conflict):
    """A channel with this name exists; names are compared without regard to case."""


class NoTasks(NotFound):
    """There is no task for this agent now."""

    code = "no_tasks"


class NoCurrentTask(NotFound):
    """The agent has no task in progress."""

    code = "no_current_task"


class NoInputs(NotFound):
    """There is no input for this task and agent."""

    code = "no_inputs"


class WrongStatus(Conflict):
    """The task is in a status that does not allow this."""


class NotHolder(Conflict):
    """The task is not held by this agent."""


class LeaseLost(Conflict):
    """The lease epoch is not the current one."""

    code = "lease_lost"


class NotReady(Conflict):
    """The task cannot be assigned to this agent now."""


class TooLate(Conflict):
    """Somebody has noticed, so this cannot be undone."""


class NotMovable(Conflict):
    """The task cannot be moved to this channel."""


class BadBatch(Invalid):
    """The tasks of one request do not fit together."""


class ChainBusy(Exception):
    """A chain that was to be locked without waiting is locked; never reaches a caller."""
