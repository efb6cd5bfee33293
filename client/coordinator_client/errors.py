"""What can go wrong, as exceptions with the coordinator's own code, message and status."""

from collections.abc import Mapping

from coordinator_client.values import JSON


class CoordinatorError(Exception):
    """Something went wrong between this program and the coordinator."""


class Misconfigured(CoordinatorError):
    """The address or the credential is missing, or must not be used as it is."""


class Unreachable(CoordinatorError):
    """No answer came: the request may or may not have been carried out."""


class BadAnswer(CoordinatorError):
    """What answered does not speak the coordinator's API."""


class Refused(CoordinatorError):
    """The coordinator answered with an error."""

    def __init__(
        self, status: int, code: str, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message or code or f"HTTP {status}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


class BadRequest(Refused):
    """The request does not make sense."""


class Unauthorized(Refused):
    """The credential is missing or not valid any more."""


class NotAllowed(Refused):
    """The credential does not give the right to do this."""


class NotFound(Refused):
    """There is no such thing, or not for this caller."""


class Conflict(Refused):
    """The thing is in a state that does not allow this."""


class TooLarge(Refused):
    """The body is larger than the coordinator takes."""


class TooManyRequests(Refused):
    """This credential has used up its rate; nothing was done."""


class Unavailable(Refused):
    """The coordinator cannot do this now."""


KINDS: Mapping[int, type[Refused]] = {
    401: Unauthorized,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: TooManyRequests,
}


def from_answer(status: int, body: JSON, retry_after: float | None) -> Refused:
    """The error in an answer, in any of the three forms that the API families have."""
    kind = KINDS.get(status, Unavailable if status >= 500 else BadRequest)
    return kind(status, *code_and_message(status, body), retry_after)


def code_and_message(status: int, body: JSON) -> tuple[str, str]:
    if not isinstance(body, dict):
        return f"http_{status}", f"the server answered with HTTP {status}"
    error, message = body.get("error"), body.get("message")
    if isinstance(error, dict):
        return str(error.get("code", "")), str(error.get("message", ""))
    if message:
        return str(error), " ".join([str(message), *details(body.get("details"), str(message))])
    return f"http_{status}", str(error or f"HTTP {status}")


def details(found: JSON, message: str) -> list[str]:
    """Each field that is wrong and why, as `field: text`, where the message does not say it."""
    if not isinstance(found, dict):
        return []
    texts = {name: said if isinstance(said, list) else [said] for name, said in found.items()}
    reasons = {name: " ".join(map(str, said)) for name, said in texts.items()}
    return [f"({name}: {text})" for name, text in reasons.items() if text not in message]
