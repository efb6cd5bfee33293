"""Problems with a request about jobs."""

from problems import Conflict, Invalid, NotFound


class JobUnknown(NotFound):
    """job not found"""

    code = "job_not_found"


class BadParameter(Invalid):
    """A parameter of the grid is invalid."""

    code = "bad_parameter"


class GridTooLarge(Invalid):
    """The grid has more tasks than one job may have."""

    code = "grid_too_large"


class KeyUsed(Conflict):
    """this idempotency key was used for another job"""

    code = "idempotency_key_used"


class JobOver(Conflict):
    """The job has ended."""

    code = "job_over"


class JobRuns(Conflict):
    """Some tasks of the job have not ended."""

    code = "job_runs"


class JobBusy(Exception):
    """A job that was to be locked without waiting is locked; never reaches a caller."""


class JobCancelled(Conflict):
    """job was cancelled"""

    code = "job_cancelled"


class BadCommand(Invalid):
    """The command cannot be run as it is asked for."""


class CommandOver(Conflict):
    """The command has ended."""


class CommandEndless(Conflict):
    """The command has not ended, or it is completed."""


class NoCommand(Invalid):
    """The task is not that of a command."""
