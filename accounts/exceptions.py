"""What is refused about users and tokens."""

from problems import Conflict, Forbidden, Invalid, NotFound, Unauthorized


class TokenUnknown(NotFound):
    """There is no such token."""


class MayNotIssue(Forbidden):
    """This caller may not make tokens like this."""

    code = "not_allowed"


class NotYourToken(Forbidden):
    """This token is of another user."""

    code = "not_allowed"


class NotYours(Forbidden):
    """This belongs to another user."""

    code = "not_allowed"


class RegistrationOff(Forbidden):
    """Users cannot register here; ask an administrator to make you one."""

    code = "registration_off"


class NoAccess(Forbidden):
    """This user is in no group and may do nothing yet; ask an administrator."""

    code = "not_allowed"


class NameTaken(Conflict):
    """There is a user of this name."""


class BadUsername(Invalid):
    """username must be 3 to 30 letters, digits, hyphens or underscores of ASCII"""

    code = "invalid_username"


class BadPassword(Invalid):
    """password must have 6 characters or more, an upper-case letter and a sign"""

    code = "invalid_password"


class WrongPassword(Unauthorized):
    """The name or the password is wrong."""


class WrongCode(Unauthorized):
    """The code is unknown, used or expired."""
