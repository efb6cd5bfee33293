"""Why the console refuses a request."""

from problems import Conflict, Forbidden, Invalid


class ReasonMissing(Invalid):
    """A reason is required."""

    code = "reason_missing"


class BadValues(Invalid):
    """A value is missing or wrong."""

    code = "bad_values"


class VerbNotAllowed(Forbidden):
    """This person does not have the permission."""

    code = "not_allowed"


class ChangedSince(Conflict):
    """It has changed since you were shown what will happen. Look again, then decide."""

    code = "changed_since"


class NoTimeLeft(Conflict):
    """There was no time left for it: use the verb again for the rest."""

    code = "no_time_left"
