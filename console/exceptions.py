"""Why the console refuses a request."""

from problems import Forbidden, Invalid


class ReasonMissing(Invalid):
    """A reason is required."""

    code = "reason_missing"


class BadValues(Invalid):
    """A value is missing or wrong."""

    code = "bad_values"


class VerbNotAllowed(Forbidden):
    """This person does not have the permission."""

    code = "not_allowed"
