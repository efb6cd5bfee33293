"""Errors raised on purpose, each with a message for people and a code for programs.

Any room may raise one; `problems.http` turns it into an answer.
"""

from collections.abc import Mapping, Sequence


class Problem(Exception):
    """The request cannot be carried out."""

    code: str = "problem"
    brief: str = ""
    """The message for API families whose messages are fixed; "": they get the message too."""
    details: Mapping[str, Sequence[str]] = {}
    """What is wrong with each field of the request, for API families that say so."""

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        """Without a message, the first line of the class docstring is the message."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        return str(self)


class Invalid(Problem):
    """The request is invalid."""

    code = "invalid_request"


class Unauthorized(Problem):
    """A valid credential is required."""

    code = "unauthorized"


class Forbidden(Problem):
    """This caller may not do this."""

    code = "forbidden"


class NotFound(Problem):
    """There is no such object."""

    code = "not_found"


class MethodNotAllowed(Problem):
    """This path does not support this method."""

    code = "method_not_allowed"


class Conflict(Problem):
    """The state of the object does not allow this."""

    code = "conflict"


class Gone(Problem):
    """The object has ended, and is no longer given out."""

    code = "gone"


class Unprocessable(Problem):
    """What is stored, or was sent, is not what it should be."""

    code = "unprocessable"


class TooSlow(Problem):
    """The request did not come in time."""

    code = "request_timeout"


class TooLarge(Problem):
    """The request is too large."""

    code = "payload_too_large"


class HeadTooLarge(TooLarge):
    """The request line and the headers are too large."""

    code = "head_too_large"


class TooMany(Problem):
    """Too many requests have come from this caller; wait a moment."""

    code = "too_many_requests"

    def __init__(
        self, message: str = "", *, retry_after: int = 1, limit: int = 0, reset: int = 0
    ) -> None:
        """`retry_after`: seconds until one more is taken; `reset`: until `limit` are, at once."""
        super().__init__(message)
        self.retry_after = retry_after
        self.limit = limit
        self.reset = reset


class Unavailable(Problem):
    """This is not possible just now; try again."""

    code = "unavailable"

    def __init__(self, message: str = "", *, cause: str = "", retry_after: int = 1) -> None:
        """`cause` is one word for programs; `retry_after`: seconds until it is worth a try."""
        super().__init__(message)
        self.cause = cause
        self.retry_after = retry_after
