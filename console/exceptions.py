"""What can be wrong with what a person asks of the console."""

from problems import Forbidden, Invalid


class ReasonMissing(Invalid):
    """A reason is required."""

    code = "reason_missing"


class BadValues(Invalid):
    """What was asked for beside the reason is missing or wrong."""

    code = "bad_values"


class NotAllowed(Forbidden):
    """This person may not do this."""

    code = "not_allowed"
