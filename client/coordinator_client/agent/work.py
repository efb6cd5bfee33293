"""A task in this agent's hands, what may interrupt it, and what comes of it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from coordinator_client.models import Task
from coordinator_client.values import JSON, Object, given


class Interruption(IntEnum):
    """Why the work should end; a higher one outranks those below it."""

    NONE = 0
    CANCEL = 1  # an operator asks for it
    STOP = 2  # this agent stops, and the time to finish is over
    KILL = 3  # this agent ends now
    LOST = 4  # the task is not this agent's any more


@dataclass(frozen=True)
class Outcome:
    """What is reported: the client's method that does it, and its arguments."""

    operation: str
    arguments: Object = field(default_factory=dict)


NOTHING = Outcome("")  # nothing is reported: the task is somebody else's now


def done(result: JSON = None) -> Outcome:
    return Outcome("complete", given(result=result))


def failed(reason: str, *, retriable: bool = False, unsupported: bool = False) -> Outcome:
    arguments: Object = {"reason": reason, "retriable": retriable, "unsupported": unsupported}
    return Outcome("fail", arguments)


def released(reason: str) -> Outcome:
    """The task is given back undone."""
    return Outcome("release", {"reason": reason})


def exited(
    status: str, exit_code: int | None, *, error: str = "", commit_sha: str = "", token: str = ""
) -> Outcome:
    """How a command ended."""
    arguments: Object = {"status": status, "exit_code": exit_code, "error": error}
    return Outcome("report_exit", arguments | {"commit_sha": commit_sha, "token": token})


class Failed(Exception):
    """Raised by a handler: the task failed, for good unless `retriable`."""

    def __init__(self, reason: str, *, retriable: bool = False) -> None:
        super().__init__(reason)
        self.retriable = retriable


class Interrupted(Exception):
    """Raised by `work.check()`: the task fails where cancelled, else it is given back."""


class Unsupported(Exception):
    """Raised by a handler: this agent can never do this task; others may."""


class Work:
    """One task in one lease. Threads ask it whether to go on."""

    def __init__(self, task: Task, agent_id: str) -> None:
        self.task = task
        self.agent_id = agent_id
        self.abandoned = False
        self.reported = False  # its report is on disk
        self._interruption = Interruption.NONE
        self._changed = threading.Condition()

    @property
    def payload(self) -> Object:
        return self.task.payload

    @property
    def lease(self) -> tuple[str, int]:
        return self.task.id, self.task.lease_epoch

    @property
    def interruption(self) -> Interruption:
        return self._interruption

    @property
    def interrupted(self) -> bool:
        """Whether the handler should end, by raising or by returning what it has."""
        return self._interruption != Interruption.NONE

    def check(self) -> None:
        """Raise `Interrupted` when the work should end."""
        if self.interrupted:
            raise Interrupted

    def interrupt(self, why: Interruption) -> None:
        with self._changed:
            self._interruption = max(self._interruption, why)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those that wait look again."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Wait so long at most; True once it is interrupted, or `until` holds after a wake."""
        end = time.monotonic() + seconds
        with self._changed:
            while not (until() if until else self.interrupted):
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True


Handler: TypeAlias = Callable[[Work], JSON | Outcome]


def interrupted(work: Work) -> Outcome:
    """What a work that was interrupted reports."""
    if work.interruption == Interruption.LOST:
        return NOTHING
    if work.interruption == Interruption.CANCEL:
        return failed("it was cancelled, as asked")
    return released("the agent stops")
