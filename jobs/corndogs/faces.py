"""What both protocols of Corndogs have in common: calls by name, and how they fail."""

import time
from typing import Any, Protocol, TypeAlias

Message: TypeAlias = dict[str, Any]
"""What is asked or answered, by the names of Corndogs; a payload is bytes."""
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long a server may take until it has answered completely."""
LARGEST = 17 * 1024 * 1024
"""Bytes of an answer. A task of others, which is to be cancelled, may have 16 MiB."""

LONGEST_REASON = 300


class CorndogsError(Exception):
    """A call that came to nothing; the message is for people and has no secret."""

    def __init__(self, text: str) -> None:
        """Whatever a peer said in it, the text can be stored and shown."""
        super().__init__("".join(letter if letter.isprintable() else " " for letter in text))


class Unreachable(CorndogsError):
    """No server could be connected to: nothing was sent."""


class Uncertain(CorndogsError):
    """The call was sent, and no answer could be read: it may have taken effect."""


class Refused(CorndogsError):
    """The server answered that it does not do it."""


class UnknownCall(Refused):
    """The server has no such call."""


class NotLeader(Refused):
    """Another server of the cluster takes this; nothing was done."""


def refusal(text: str) -> Refused:
    return (NotLeader if "not-leader" in text else Refused)(text)


class Face(Protocol):
    """One server in one of its protocols. Calls and members are named as in its CBOR."""

    def call(self, name: str, request: Message) -> Message:
        """The answer. Raises a CorndogsError; whatever a peer sends, nothing else."""

    def close(self) -> None:
        """Give up what is kept open; the next call opens it again."""


class Deadline:
    """When an answer has to be complete."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def without(key: str, said: str) -> str:
    """The beginning of what a server said, without the credential that it was sent."""
    return (said.replace(key, "…") if key else said)[:LONGEST_REASON]


def spelled(problem: Exception) -> str:
    """An error of the network in few words."""
    if isinstance(problem, TimeoutError):
        return "it did not answer in time"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
